package jinja

import (
	"math"
	"slices"
	"unicode/utf8"
)

// each gives the items of a slice.
func each(items []any) func() (any, bool) {
	i := 0
	return func() (any, bool) {
		if i == len(items) {
			return nil, false
		}
		i++
		return items[i-1], true
	}
}

// iterate goes over what can be iterated over.
func (m *machine) iterate(v any) func() (any, bool) {
	switch v := v.(type) {
	case *list:
		return each(v.items)
	case *tuple:
		return each(v.items)
	case *dict:
		return each(v.keys)
	case *iterator:
		return v.next
	case *undefined:
		return each(nil)
	case numbers:
		i := 0
		return func() (any, bool) { i++; return v.at(i - 1), i <= v.len() }
	case *view:
		return v.each()
	}
	text, ok := asText(v)
	if !ok {
		fail("'%s' object is not iterable", typeName(v))
	}
	return func() (any, bool) {
		_, n := utf8.DecodeRuneInString(text)
		letter := text[:n]
		text = text[n:]
		return letter, n > 0
	}
}

func (v *view) each() func() (any, bool) {
	switch v.kind {
	case "keys":
		return each(v.of.keys)
	case "values":
		return each(v.of.values)
	}
	i := 0
	return func() (any, bool) {
		if i == len(v.of.keys) {
			return nil, false
		}
		i++
		return v.of.pair(i - 1), true
	}
}

// items returns all items.
func (m *machine) items(v any) []any {
	next := m.iterate(v)
	var out []any
	for {
		item, ok := next()
		if !ok {
			return out
		}
		m.spend(1)
		out = append(out, item)
	}
}

// item is v[index]. What does not exist is undefined.
func (m *machine) item(v, index any) any {
	if found, ok := m.find(v, index); ok {
		return found
	}
	refuseUndefined(v)
	if name, ok := asText(index); ok {
		if found, ok := m.member(v, name); ok {
			return found
		}
		return missing(v, name)
	}
	return &undefined{reason: describe(v) + " has no element " + m.repr(index)}
}

// describe names a value in the message of what it lacks.
func describe(v any) string {
	if v == nil {
		return "None"
	}
	return typeName(v) + " object"
}

func missing(v any, name string) any {
	return &undefined{reason: repr(describe(v)) + " has no attribute " + repr(name)}
}

// find looks an item up: by key in a dict, by index in a sequence.
func (m *machine) find(v, index any) (any, bool) {
	if d, ok := v.(*dict); ok {
		switch index.(type) {
		case *list, *dict, *view: // not hashable: a TypeError, which Jinja2 takes for absence
			return nil, false
		}
		return d.get(m.hash(index))
	}
	i, ok := asInt(index)
	if !ok {
		return nil, false
	}
	if text, ok := asText(v); ok {
		m.fill(len(text))
		found, ok := letter(text, i)
		return alike(v, found), ok
	}
	n, ok := size(v)
	if i < 0 {
		i += n
	}
	if !ok || i < 0 || i >= n {
		return nil, false
	}
	switch v := v.(type) {
	case *list:
		return v.items[i], true
	case *tuple:
		return v.items[i], true
	case numbers:
		return v.at(i), true
	}
	return nil, false
}

// letter returns the character at an index, which may count from the end.
func letter(s string, i int) (any, bool) {
	if i < 0 {
		i += utf8.RuneCountInString(s)
	}
	if i < 0 {
		return nil, false
	}
	for _, r := range s {
		if i == 0 {
			return string(r), true
		}
		i--
	}
	return nil, false
}

// slice is v[start:stop:step], a bound that is nil is missing.
func (m *machine) slice(v any, bounds [3]any) any {
	refuseUndefined(v)
	switch v := v.(type) {
	case string:
		return m.sliceText(v, bounds)
	case markup:
		return markup(m.sliceText(string(v), bounds))
	case *list:
		return &list{sliced(m, v.items, bounds)}
	case *tuple:
		return &tuple{items: sliced(m, v.items, bounds)}
	case numbers:
		start, stop, step := indices(v.len(), bounds)
		return numbers{v.at(start), v.at(stop), v.step * step}
	}
	fail("'%s' object is not subscriptable", typeName(v))
	return nil
}

func (m *machine) sliceText(s string, bounds [3]any) string {
	m.fill(len(s))
	return string(sliced(m, []rune(s), bounds))
}

func sliced[T any](m *machine, items []T, bounds [3]any) []T {
	start, stop, step := indices(len(items), bounds)
	n := numbers{start, stop, step}
	if step == 1 && start <= stop {
		return slices.Clip(items[start:stop])
	}
	m.spend(n.len())
	out := make([]T, n.len())
	for i := range out {
		out[i] = items[n.at(i)]
	}
	return out
}

// indices is Python's slice.indices.
func indices(n int, bounds [3]any) (start, stop, step int) {
	step = 1
	if bounds[2] != nil {
		step = sliceBound(bounds[2])
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	at := func(bound any, otherwise int) int {
		if bound == nil {
			return otherwise
		}
		i := sliceBound(bound)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	switch {
	case step == 0:
		fail("slice step cannot be zero")
	case step < 0:
		return at(bounds[0], high), at(bounds[1], low), max(step, -math.MaxInt32)
	}
	return at(bounds[0], low), at(bounds[1], high), min(step, math.MaxInt32)
}

func sliceBound(v any) int {
	i, ok := asInt(v)
	if !ok {
		fail("slice indices must be integers or None or have an __index__ method")
	}
	return i
}
