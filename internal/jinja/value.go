package jinja

import (
	"math/big"
	"unicode/utf8"
)

// A value is one of Python's, as any: nil (None), bool, int and *big.Int beyond its range, float64, string, markup,
// and the types here. Lists, tuples and dicts are never changed once a template holds them.
type (
	list  struct{ items []any }
	tuple struct {
		items []any
		names []string // of the items, where they have some
	}
	// markup is a text that is marked as safe in HTML; in a chat template it is a text.
	markup string
	// undefined is what a name, an index or an attribute that does not exist has as its value.
	undefined struct {
		reason   string
		variable string // of this name; "" for what is no variable
	}
	// namespace is the one thing that a template may change.
	namespace struct{ attributes *dict }
	// numbers is a range.
	numbers struct{ start, stop, step int }
	// view is what keys(), values() and items() of a dict return.
	view struct {
		kind string
		of   *dict
	}
	// iterator gives its items once.
	iterator struct {
		kind string
		next func() (any, bool)
	}
)

// callable can be called.
type callable interface {
	call(m *machine, a []any, named []namedValue) any
}

// attributed has attributes of its own.
type attributed interface {
	attribute(m *machine, name string) (any, bool)
}

func (m *machine) truth(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case *undefined:
		return false
	}
	n, ok := size(v)
	return !ok || n > 0
}

// size is Python's len; for texts it only tells whether it is 0, see length.
func size(v any) (n int, ok bool) {
	switch v := v.(type) {
	case string:
		return len(v), true
	case markup:
		return len(v), true
	case *list:
		return len(v.items), true
	case *tuple:
		return len(v.items), true
	case *dict:
		return len(v.keys), true
	case *view:
		return len(v.of.keys), true
	case numbers:
		return v.len(), true
	case *undefined:
		return 0, true
	}
	return 0, false
}

func (m *machine) length(v any) int {
	if l, ok := v.(*loop); ok {
		return l.count(m)
	}
	if s, ok := asText(v); ok {
		m.fill(len(s))
		return utf8.RuneCountInString(s)
	}
	n, ok := size(v)
	if !ok {
		fail("object of type '%s' has no len()", typeName(v))
	}
	return n
}

// asText returns a text, marked as safe or not.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// typeName is the name of a value's type in Python.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "dict"
	case numbers:
		return "range"
	case *view:
		return "dict_" + v.kind
	case *iterator:
		return v.kind
	case *namespace:
		return "Namespace"
	case *undefined:
		return "Undefined"
	case *loop:
		return "LoopContext"
	case *macro:
		return "Macro"
	}
	return "function"
}

// refuseUndefined fails where one of the values is undefined.
func refuseUndefined(values ...any) {
	for _, v := range values {
		if u, ok := v.(*undefined); ok {
			panic(failure{reason: u.reason, variable: u.variable})
		}
	}
}

func (n numbers) len() int {
	switch {
	case n.step > 0 && n.start < n.stop:
		return (n.stop-n.start-1)/n.step + 1
	case n.step < 0 && n.start > n.stop:
		return (n.start-n.stop-1)/-n.step + 1
	}
	return 0
}

func (n numbers) at(i int) int { return n.start + i*n.step }

func (n *namespace) attribute(_ *machine, name string) (any, bool) { return n.attributes.get(name) }
