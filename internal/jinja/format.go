package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout is a format specification, of % or of str.format.
type layout struct {
	fill      string
	align     rune // < > ^ =, 0 for the type's own
	sign      rune // + - or blank
	alternate bool // #
	width     int
	precision int  // -1 for none
	group     rune // , or _, 0 for none
	kind      rune // d f s …, 0 for none
}

// format is text % args.
func (m *machine) format(s string, args any) string {
	f := &percent{m: m, args: args}
	if t, ok := args.(*tuple); ok {
		f.items = t.items
	} else {
		f.items = []any{args}
	}
	for {
		before, rest, found := strings.Cut(s, "%")
		m.append(&f.out, before)
		if !found {
			break
		}
		s = f.directive(rest)
	}
	if f.next < len(f.items) && !f.byName {
		switch args.(type) {
		case *dict, *list, numbers, *undefined: // a mapping need not be used up, and Python takes these for one
		default:
			fail("not all arguments converted during string formatting")
		}
	}
	return f.out.String()
}

// percent is a text % args that is being formatted.
type percent struct {
	m      *machine
	args   any
	items  []any
	next   int
	byName bool
	out    strings.Builder
}

func (f *percent) take() any {
	if f.next >= len(f.items) {
		fail("not enough arguments for format string")
	}
	f.next++
	return f.items[f.next-1]
}

// directive reads what stands behind a %, writes its value and returns what follows.
func (f *percent) directive(s string) string {
	l := layout{fill: " ", align: '>', precision: -1}
	var value any
	named := false
	if strings.HasPrefix(s, "(") {
		end := closing(s)
		d, ok := f.args.(*dict)
		if !ok {
			fail("format requires a mapping")
		}
		if value, ok = d.get(s[1:end]); !ok {
			fail("KeyError: %s", repr(s[1:end]))
		}
		s, named, f.byName = s[end+1:], true, true
	}
	s = l.flags(s)
	l.width, s = f.count(s)
	if l.width < 0 {
		l.align, l.width = '<', -l.width
	}
	if strings.HasPrefix(s, ".") {
		l.precision, s = f.count(s[1:])
		l.precision = max(l.precision, 0)
	}
	s = strings.TrimLeft(s, "hlL")
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case n == 0:
		fail("incomplete format")
	case r == '%':
		f.out.WriteString("%")
		return s[n:]
	case !named:
		value = f.take()
	}
	f.m.append(&f.out, f.convert(r, value, &l))
	return s[n:]
}

// closing returns where the parenthesis ends that s begins with.
func closing(s string) int {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return i
			}
		}
	}
	fail("incomplete format key")
	return 0
}

func (l *layout) flags(s string) string {
	for s != "" {
		switch s[0] {
		case '-':
			l.align = '<'
		case '+':
			l.sign = '+'
		case ' ':
			if l.sign == 0 {
				l.sign = ' '
			}
		case '#':
			l.alternate = true
		case '0':
			l.fill = "0"
		default:
			return s
		}
		s = s[1:]
	}
	return s
}

// count reads a number, or a * that takes it from the arguments.
func (f *percent) count(s string) (int, string) {
	if strings.HasPrefix(s, "*") {
		return integer(f.take()), s[1:]
	}
	return leadingInt(s)
}

// leadingInt reads the digits that s begins with, 0 where it has none.
func leadingInt(s string) (int, string) {
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	n, err := strconv.Atoi(digits)
	if err != nil && digits != "" {
		fail("too many digits in a format")
	}
	return n, s[len(digits):]
}

func (f *percent) convert(kind rune, v any, l *layout) string {
	m := f.m
	if l.align == '<' {
		l.fill = " "
	} else if l.fill == "0" {
		l.align = '='
	}
	l.kind = kind
	switch kind {
	case 's', 'r', 'a':
		l.fill = " "
		if l.align == '=' {
			l.align = '>'
		}
		text := m.str(v)
		if kind != 's' {
			text = m.repr(v)
		}
		if kind == 'a' {
			text = asciiRepr(text)
		}
		return m.formatText(text, l)
	case 'c':
		l.fill = " "
		return m.formatText(character(v), l)
	case 'd', 'i', 'u':
		if f, ok := v.(float64); ok {
			v = whole(f)
		}
		l.kind = 'd'
		z, ok := asBig(v)
		if !ok {
			refuseUndefined(v)
			fail("%%%c format: a real number is required, not %s", kind, typeName(v))
		}
		return m.formatInteger(z, l)
	case 'x', 'X', 'o':
		z, ok := asBig(v)
		if !ok {
			refuseUndefined(v)
			fail("%%%c format: an integer is required, not %s", kind, typeName(v))
		}
		return m.formatInteger(z, l)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		x, ok := asFloat(v)
		if !ok {
			refuseUndefined(v)
			fail("must be real number, not %s", typeName(v))
		}
		return m.formatFloat(x, l)
	}
	fail("unsupported format character '%c'", kind)
	return ""
}

func character(v any) string {
	if s, ok := asText(v); ok && utf8.RuneCountInString(s) == 1 {
		return s
	}
	n, ok := asInt(v)
	if !ok || n < 0 || n > utf8.MaxRune {
		fail("%%c requires int or char")
	}
	return string(rune(n))
}

func (m *machine) formatText(s string, l *layout) string {
	if l.precision >= 0 {
		s = m.sliceText(s, [3]any{nil, l.precision, nil})
	}
	if l.align == 0 {
		l.align = '<'
	}
	return m.aligned(s, l)
}

// aligned fills a text up to the width.
func (m *machine) aligned(s string, l *layout) string {
	if l.align != '^' {
		return m.pad(s, l.width, l.fill, l.align)
	}
	missing := max(0, l.width-m.length(s))
	return m.repeated(l.fill, missing/2) + s + m.repeated(l.fill, missing-missing/2)
}

// signed writes a number's sign, prefix and digits, and zeros or blanks.
func (m *machine) signed(negative bool, prefix, digits string, l *layout) string {
	sign := ""
	switch {
	case negative:
		sign = "-"
	case l.sign == '+' || l.sign == ' ':
		sign = string(l.sign)
	}
	if l.group != 0 {
		digits = grouped(digits, l)
	}
	sign += prefix
	if l.align == '=' {
		room := l.width - len(sign)
		if l.group != 0 && l.fill == "0" {
			return sign + m.zeros(digits, room, l)
		}
		return sign + m.pad(digits, room, l.fill, '>')
	}
	if l.align == 0 {
		l.align = '>'
	}
	return m.aligned(sign+digits, l)
}

// grouped sets separators between the digits before the point.
func grouped(digits string, l *layout) string {
	n, size := len(digits)-len(strings.TrimLeft(digits, "0123456789abcdefABCDEF")), 3
	if strings.ContainsRune("xXob", l.kind) {
		size = 4
	} else if i := strings.IndexAny(digits, ".e"); i >= 0 {
		n = i
	}
	var b strings.Builder
	for i := range n {
		if i > 0 && (n-i)%size == 0 {
			b.WriteRune(l.group)
		}
		b.WriteByte(digits[i])
	}
	return b.String() + digits[n:]
}

// zeros fills up grouped digits with zeros that are grouped too.
func (m *machine) zeros(digits string, width int, l *layout) string {
	for {
		m.fill(len(digits))
		plain := "0" + strings.ReplaceAll(digits, string(l.group), "")
		longer := grouped(plain, l)
		if len(digits) >= width {
			return digits
		}
		if digits = longer; len(digits) > width && digits[1] == byte(l.group) {
			return digits
		}
	}
}

func (m *machine) formatInteger(z *big.Int, l *layout) string {
	base, prefix := 10, ""
	switch l.kind {
	case 'x', 'X':
		base, prefix = 16, "0x"
	case 'o':
		base, prefix = 8, "0o"
	case 'b':
		base, prefix = 2, "0b"
	}
	digits := new(big.Int).Abs(z).Text(base)
	if l.precision > len(digits) {
		digits = m.pad(digits, l.precision, "0", '>')
	}
	if !l.alternate {
		prefix = ""
	}
	if l.kind == 'X' {
		prefix, digits = strings.ToUpper(prefix), strings.ToUpper(digits)
	}
	return m.signed(z.Sign() < 0, prefix, digits, l)
}

func (m *machine) formatFloat(f float64, l *layout) string {
	precision := l.precision
	if precision < 0 {
		precision = 6
	}
	m.fill(precision)
	kind := byte(l.kind)
	suffix := ""
	if kind == '%' {
		f, kind, suffix = f*100, 'f', "%"
	}
	var digits string
	switch magnitude := math.Abs(f); {
	case math.IsInf(f, 0):
		digits = "inf"
	case math.IsNaN(f):
		digits = "nan"
	case kind == 'g' || kind == 'G':
		digits = general(magnitude, max(precision, 1), l.alternate)
	default:
		digits = strconv.FormatFloat(magnitude, kind|0x20, precision, 64)
		if l.alternate && precision == 0 {
			digits += "."
		}
	}
	if kind < 'a' {
		digits = strings.ToUpper(digits)
	}
	return m.signed(math.Signbit(f) && !math.IsNaN(f), "", digits+suffix, l)
}

// general is the format g, of so many digits.
func general(f float64, digits int, keep bool) string {
	scientific := strconv.FormatFloat(f, 'e', digits-1, 64)
	mantissa, exponent, _ := strings.Cut(scientific, "e")
	n, _ := strconv.Atoi(exponent)
	if n >= -4 && n < digits {
		text := strconv.FormatFloat(f, 'f', digits-1-n, 64)
		if strings.Contains(text, ".") && !keep {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	}
	if strings.Contains(mantissa, ".") && !keep {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	return mantissa + "e" + exponent
}
