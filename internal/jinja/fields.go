package jinja

import (
	"strings"
	"unicode/utf8"
)

// fields is text.format(*args, **kwargs).
func (m *machine) fields(s string, args *tuple, kwargs any) string {
	f := &formatter{m: m, args: args.items, kwargs: kwargs}
	return f.text(s, 2)
}

type formatter struct {
	m      *machine
	args   []any
	kwargs any
	next   int // of the fields without a name, -1 where they are numbered
}

// text formats a text whose fields may hold others, as many levels deep.
func (f *formatter) text(s string, levels int) string {
	if levels == 0 {
		fail("Max string recursion exceeded")
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		switch {
		case i < 0:
			f.m.append(&b, s)
			return b.String()
		case strings.HasPrefix(s[i:], "{{") || strings.HasPrefix(s[i:], "}}"):
			f.m.append(&b, s[:i+1])
			s = s[i+2:]
			continue
		case s[i] == '}':
			fail("Single '}' encountered in format string")
		}
		end := brace(s[i:])
		f.m.append(&b, s[:i])
		f.m.append(&b, f.field(s[i+1:i+end], levels))
		s = s[i+end+1:]
	}
	return b.String()
}

// brace returns where the brace ends that s begins with.
func brace(s string) int {
	open := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	fail("expected '}' before end of string")
	return 0
}

// field formats name!conversion:specification.
func (f *formatter) field(s string, levels int) string {
	name, rest := s, ""
	if i := strings.IndexAny(s, "!:"); i >= 0 {
		name, rest = s[:i], s[i:]
	}
	v := f.value(name)
	if strings.HasPrefix(rest, "!") {
		switch {
		case strings.HasPrefix(rest, "!r"):
			v = f.m.repr(v)
		case strings.HasPrefix(rest, "!a"):
			v = asciiRepr(f.m.repr(v))
		case strings.HasPrefix(rest, "!s"):
			v = f.m.str(v)
		default:
			fail("unknown conversion specifier in a format string")
		}
		rest = rest[2:]
	}
	if rest != "" && rest[0] != ':' {
		fail("expected ':' after conversion specifier")
	}
	return f.m.formatted(v, f.text(strings.TrimPrefix(rest, ":"), levels-1+boolInt(rest == "")))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// value follows a name such as 0.key[1].
func (f *formatter) value(path string) any {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	v, path := f.first(path[:end]), path[end:]
	for path != "" {
		f.m.spend(1)
		part := path[1:]
		if path[0] == '.' {
			if end = strings.IndexAny(part, ".["); end < 0 {
				end = len(part)
			}
			v, path = f.m.attribute(v, part[:end]), part[end:]
			continue
		}
		index, after, ok := strings.Cut(part, "]")
		if !ok || path[0] != '[' {
			fail("Missing ']' in format string")
		}
		v, path = f.m.item(v, step(index)), after
	}
	return v
}

func (f *formatter) first(name string) any {
	var i any
	if name == "" {
		if f.next < 0 {
			fail("cannot switch from manual field specification to automatic field numbering")
		}
		i = f.next
		f.next++
	} else if i = step(name); i != any(name) {
		if f.next > 0 {
			fail("cannot switch from automatic field numbering to manual field specification")
		}
		f.next = -1
	}
	if n, ok := i.(int); ok {
		if n >= len(f.args) {
			fail("Replacement index %d out of range for positional args tuple", n)
		}
		return f.args[n]
	}
	v, ok := f.m.find(f.kwargs, name)
	if !ok {
		fail("KeyError: %s", repr(name))
	}
	return v
}

// formatted is Python's format(v, specification).
func (m *machine) formatted(v any, specification string) string {
	if specification == "" {
		return m.str(v)
	}
	l := readLayout(specification)
	s, isText := asText(v)
	f, isFloat := v.(float64)
	z, isInt := asBig(v)
	integers := strings.ContainsRune("\x00dxXobn", l.kind) && l.precision < 0
	switch {
	case isText && (l.kind == 0 || l.kind == 's') && l.align != '=' && l.sign == 0 && l.group == 0:
		return m.formatText(s, l)
	case isInt && integers:
		return m.formatInteger(z, l)
	case isInt && l.kind == 'c':
		return m.formatText(character(v), l)
	case isInt && l.kind != 0, isFloat:
		if isInt {
			f, _ = asFloat(v)
		}
		return m.formatNumber(f, l)
	}
	refuseUndefined(v)
	fail("the format %q does not suit '%s'", specification, typeName(v))
	return ""
}

func (m *machine) formatNumber(f float64, l *layout) string {
	switch l.kind {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return m.formatFloat(f, l)
	case 'n':
		l.kind = 'g'
		return m.formatFloat(f, l)
	case 0:
		if l.precision < 0 { // as repr, but with sign and width
			text := strings.TrimPrefix(floatText(f), "-")
			return m.signed(f < 0, "", text, l)
		}
		l.kind = 'g'
		text := m.formatFloat(f, &layout{fill: " ", align: '<', precision: l.precision, kind: 'g'})
		if strings.Trim(text, "-0123456789") == "" && len(strings.Trim(text, "-")) < l.precision {
			text += ".0"
		}
		return m.signed(f < 0, "", strings.TrimPrefix(text, "-"), l)
	}
	fail("Unknown format code '%c' for object of type 'float'", l.kind)
	return ""
}

// readLayout reads [[fill]align][sign][#][0][width][group][.precision][type].
func readLayout(s string) *layout {
	l := &layout{fill: " ", precision: -1}
	const aligns = "<>^="
	r, n := utf8.DecodeRuneInString(s)
	next, size := utf8.DecodeRuneInString(s[n:])
	switch {
	case size > 0 && strings.ContainsRune(aligns, next):
		l.fill, l.align, s = string(r), next, s[n+size:]
	case strings.ContainsRune(aligns, r):
		l.align, s = r, s[n:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		l.sign, s = rune(s[0]), s[1:]
	}
	if strings.HasPrefix(s, "#") {
		l.alternate, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") {
		if l.align == 0 {
			l.fill, l.align = "0", '='
		}
		s = s[1:]
	}
	l.width, s = leadingInt(s)
	if s != "" && (s[0] == ',' || s[0] == '_') {
		l.group, s = rune(s[0]), s[1:]
	}
	if strings.HasPrefix(s, ".") {
		l.precision, s = leadingInt(s[1:])
	}
	if s != "" {
		l.kind, s = rune(s[0]), s[1:]
	}
	if s != "" {
		fail("invalid format specifier")
	}
	return l
}
