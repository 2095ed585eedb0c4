package jinja

import (
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// str is Python's str.
func (m *machine) str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case markup:
		return string(v)
	case *undefined:
		return ""
	}
	return m.repr(v)
}

// repr is Python's repr.
func (m *machine) repr(v any) string {
	m.spend(1)
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int:
		return fmt.Sprint(v)
	case *big.Int:
		if text := v.String(); len(strings.TrimPrefix(text, "-")) <= maxDigits {
			return text
		}
		fail("an integer of over %d digits", maxDigits)
	case float64:
		return floatText(v)
	case string:
		m.fill(len(v))
		return repr(v)
	case markup:
		m.fill(len(v))
		return "Markup(" + repr(string(v)) + ")"
	case *undefined:
		return "Undefined"
	}
	m.deeper()
	defer func() { m.depth-- }()
	return m.reprContainer(v)
}

func (m *machine) reprContainer(v any) string {
	switch v := v.(type) {
	case *list:
		return m.reprItems("[", v.items, "]")
	case *tuple:
		if len(v.items) == 1 {
			return m.reprItems("(", v.items, ",)")
		}
		return m.reprItems("(", v.items, ")")
	case *dict:
		return m.reprDict(v)
	case *view:
		return "dict_" + v.kind + "(" + m.reprItems("[", m.items(v), "]") + ")"
	case *namespace:
		return "<Namespace " + m.reprDict(v.attributes) + ">"
	case numbers:
		if v.step == 1 {
			return fmt.Sprintf("range(%d, %d)", v.start, v.stop)
		}
		return fmt.Sprintf("range(%d, %d, %d)", v.start, v.stop, v.step)
	case *loop:
		return fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, v.count(m))
	case *macro:
		return "<Macro " + repr(v.name) + ">"
	}
	return "<" + typeName(v) + " object>"
}

func (m *machine) reprItems(open string, items []any, end string) string {
	var b strings.Builder
	b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		m.append(&b, m.repr(item))
	}
	b.WriteString(end)
	return b.String()
}

func (m *machine) reprDict(d *dict) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range d.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		m.append(&b, m.repr(d.keys[i]))
		b.WriteString(": ")
		m.append(&b, m.repr(d.values[i]))
	}
	b.WriteString("}")
	return b.String()
}

// append adds a text, which counts.
func (m *machine) append(b *strings.Builder, text string) {
	m.fill(len(text))
	b.WriteString(text)
}

// repr is Python's repr of a text.
func repr(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			escapeRune(&b, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// asciiRepr is Python's ascii of a value whose repr this is.
func asciiRepr(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		escapeRune(&b, r)
	}
	return b.String()
}

func escapeRune(b *strings.Builder, r rune) {
	switch {
	case r < 0x100:
		fmt.Fprintf(b, `\x%02x`, r)
	case r < 0x10000:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}
