package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"
)

// jsonWriter is Python's json.dumps with the options of transformers' tojson.
type jsonWriter struct {
	m           *machine
	out         strings.Builder
	ascii, sort bool
	indent      string // of one level; nothing is broken into lines where lines is false
	lines       bool
	item, key   string // separators
}

func toJSON(m *machine, a []any) any {
	w := &jsonWriter{m: m, ascii: m.truth(a[1]), sort: m.truth(a[4]), item: ", ", key: ": "}
	if a[2] != nil {
		w.lines, w.item = true, ","
		if text, ok := asText(a[2]); ok {
			w.indent = text
		} else {
			n := max(0, integer(a[2]))
			m.fill(n)
			w.indent = strings.Repeat(" ", n)
		}
	}
	if a[3] != nil {
		pair := m.items(a[3])
		if len(pair) != 2 {
			fail("separators must be two texts")
		}
		item, ok := asText(pair[0])
		key, alsoOK := asText(pair[1])
		if !ok || !alsoOK {
			fail("separators must be two texts")
		}
		w.item, w.key = item, key
	}
	w.value(a[0], 0)
	return w.out.String()
}

func (w *jsonWriter) write(s string) { w.m.append(&w.out, s) }

func (w *jsonWriter) value(v any, depth int) {
	w.m.deeper()
	defer func() { w.m.depth-- }()
	if s, ok := asText(v); ok {
		w.text(s)
		return
	}
	if s, ok := jsonScalar(v); ok {
		w.write(s)
		return
	}
	switch v := v.(type) {
	case *list:
		w.items(v.items, depth)
	case *tuple:
		w.items(v.items, depth)
	case *dict:
		w.dict(v, depth)
	default:
		fail("Object of type %s is not JSON serializable", typeName(v))
	}
}

// jsonScalar is what JSON has for a value that is neither text nor container.
func jsonScalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return fmt.Sprint(v), true
	case int:
		return fmt.Sprint(v), true
	case *big.Int:
		return v.String(), true
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", true
		case math.IsInf(v, 1):
			return "Infinity", true
		case math.IsInf(v, -1):
			return "-Infinity", true
		}
		return floatText(v), true
	}
	return "", false
}

func (w *jsonWriter) items(items []any, depth int) {
	if len(items) == 0 {
		w.write("[]")
		return
	}
	w.write("[")
	for i, item := range items {
		w.between(i, depth+1)
		w.value(item, depth+1)
	}
	w.newline(depth)
	w.write("]")
}

func (w *jsonWriter) dict(d *dict, depth int) {
	if len(d.keys) == 0 {
		w.write("{}")
		return
	}
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sort {
		slices.SortStableFunc(order, func(i, j int) int { return w.m.order(d.keys[i], d.keys[j]) })
	}
	w.write("{")
	for n, i := range order {
		w.between(n, depth+1)
		key, ok := asText(d.keys[i])
		if !ok {
			if key, ok = jsonScalar(d.keys[i]); !ok {
				fail("keys must be str, int, float, bool or None, not %s", typeName(d.keys[i]))
			}
		}
		w.text(key)
		w.write(w.key)
		w.value(d.values[i], depth+1)
	}
	w.newline(depth)
	w.write("}")
}

// between writes what stands before item i.
func (w *jsonWriter) between(i, depth int) {
	if i > 0 {
		w.write(w.item)
	}
	w.newline(depth)
}

func (w *jsonWriter) newline(depth int) {
	if w.lines {
		w.m.fill(depth * len(w.indent))
		w.write("\n" + strings.Repeat(w.indent, depth))
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

func (w *jsonWriter) text(s string) {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		escaped, ok := jsonEscapes[r]
		switch {
		case ok:
			b.WriteString(escaped)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		case r > '~' && w.ascii:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	w.write(b.String())
}
