package jinja

import "math/big"

// tests are Jinja2's.
var tests = table(map[string]run{
	"defined value":   func(_ *machine, a []any) any { return !is[*undefined](a[0]) },
	"undefined value": func(_ *machine, a []any) any { return is[*undefined](a[0]) },
	"none value":      func(_ *machine, a []any) any { return a[0] == nil },
	"boolean value":   func(_ *machine, a []any) any { return is[bool](a[0]) },
	"true value":      func(_ *machine, a []any) any { return a[0] == true },
	"false value":     func(_ *machine, a []any) any { return a[0] == false },
	"integer value":   func(_ *machine, a []any) any { return is[int](a[0]) || is[*big.Int](a[0]) },
	"float value":     func(_ *machine, a []any) any { return is[float64](a[0]) },
	"number value":    func(_ *machine, a []any) any { return isNumber(a[0]) },
	"string value":    func(_ *machine, a []any) any { return is[string](a[0]) || is[markup](a[0]) },
	"mapping value":   func(_ *machine, a []any) any { return is[*dict](a[0]) },
	"iterable value":  func(_ *machine, a []any) any { return iterable(a[0]) },
	"sequence value":  func(_ *machine, a []any) any { return isSequence(a[0]) },
	"callable value":  func(_ *machine, a []any) any { return is[callable](a[0]) || is[*undefined](a[0]) },
	"escaped value":   func(_ *machine, a []any) any { return is[markup](a[0]) },
	"lower value":     func(m *machine, a []any) any { return isLower(m.str(a[0])) },
	"upper value":     func(m *machine, a []any) any { return isUpper(m.str(a[0])) },
	"odd value":       func(m *machine, a []any) any { return m.equal(m.compute("%", a[0], 2), 1) },
	"even value":      func(m *machine, a []any) any { return m.equal(m.compute("%", a[0], 2), 0) },
	"divisibleby value num": func(m *machine, a []any) any {
		return m.equal(m.compute("%", a[0], a[1]), 0)
	},
	"filter value":       func(m *machine, a []any) any { return m.named(m.filters, a[0]) },
	"test value":         func(m *machine, a []any) any { return m.named(m.tests, a[0]) },
	"sameas value other": func(_ *machine, a []any) any { return typeName(a[0]) == typeName(a[1]) && same(a[0], a[1]) },
	"in value seq":       func(m *machine, a []any) any { return m.contains(a[1], a[0]) },

	"==/eq/equalto a b":    comparing("=="),
	"!=/ne a b":            comparing("!="),
	">/gt/greaterthan a b": comparing(">"),
	">=/ge a b":            comparing(">="),
	"</lt/lessthan a b":    comparing("<"),
	"<=/le a b":            comparing("<="),
})

func is[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func (m *machine) named(table map[string]*function, name any) bool {
	m.hash(name) // or it is no key
	text, ok := asText(name)
	return ok && table[text] != nil
}

func comparing(op string) run {
	return func(m *machine, a []any) any { return m.compare(op, a[0], a[1]) }
}

func iterable(v any) bool {
	switch v.(type) {
	case string, markup, *list, *tuple, *dict, *view, numbers, *iterator, *undefined, *loop:
		return true
	}
	return false
}

// isSequence says whether v has a length and items, as a dict has too.
func isSequence(v any) bool {
	switch v.(type) {
	case string, markup, *list, *tuple, *dict, numbers, *undefined:
		return true
	}
	return false
}
