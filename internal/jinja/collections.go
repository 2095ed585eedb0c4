package jinja

import (
	"slices"
	"strings"
)

// The filters that take and give collections.

// getter returns a function that follows a path such as a.b.0. Steps that lead nowhere give otherwise, where that is
// not None. Without a path it returns the item.
func (m *machine) getter(path, otherwise any) func(any) any {
	var steps []any
	if text, ok := asText(path); ok {
		for _, part := range strings.Split(text, ".") {
			steps = append(steps, step(part))
		}
	} else if path != nil {
		steps = []any{path}
	}
	return func(item any) any {
		for _, s := range steps {
			m.spend(1)
			item = m.item(item, s)
			if _, ok := item.(*undefined); ok && otherwise != nil {
				item = otherwise
			}
		}
		return item
	}
}

// step is a part of a path: digits are an index.
func step(part string) any {
	if part != "" && strings.Trim(part, "0123456789") == "" {
		n, _ := parseInt(part, 10)
		return n
	}
	return part
}

// caseless makes a getter ignore the case of texts, unless sensitive.
func (m *machine) caseless(get func(any) any, sensitive any) func(any) any {
	if m.truth(sensitive) {
		return get
	}
	return func(item any) any {
		v := get(item)
		if s, ok := asText(v); ok {
			m.fill(len(s))
			return lower(s)
		}
		return v
	}
}

func generator(next func() (any, bool)) any { return &iterator{kind: "generator", next: next} }

func batch(m *machine, a []any) any {
	next, n := m.iterate(a[0]), integer(a[1])
	return generator(func() (any, bool) {
		row := &list{}
		for n <= 0 || len(row.items) < n {
			item, ok := next()
			if !ok {
				break
			}
			m.spend(1)
			row.items = append(row.items, item)
		}
		if len(row.items) == 0 {
			return nil, false
		}
		if missing := n - len(row.items); a[2] != nil && missing > 0 {
			row.items = append(row.items, m.repeatItems([]any{a[2]}, missing, missing)...)
		}
		return row, true
	})
}

func sliceFilter(m *machine, a []any) any {
	items, n := m.items(a[0]), integer(a[1])
	if n == 0 {
		fail("integer division or modulo by zero")
	}
	i, offset := 0, 0
	return generator(func() (any, bool) {
		if i >= n {
			return nil, false
		}
		size := len(items) / n
		more := i < len(items)%n
		if more {
			size++
		}
		m.spend(1 + size)
		row := append([]any{}, items[offset:offset+size]...)
		if a[2] != nil && !more {
			row = append(row, a[2])
		}
		i, offset = i+1, offset+size
		return &list{row}, true
	})
}

func dictsort(m *machine, a []any) any {
	d, ok := a[0].(*dict)
	if !ok {
		refuseUndefined(a[0])
		fail("'%s' object has no attribute 'items'", typeName(a[0]))
	}
	by := d.keys
	switch m.str(a[2]) {
	case "key":
	case "value":
		by = d.values
	default:
		fail(`You can only sort by either "key" or "value"`)
	}
	key := m.caseless(m.getter(nil, nil), a[1])
	keys, pairs := make([]any, len(by)), make([]any, len(by))
	for i := range by {
		m.spend(1)
		keys[i], pairs[i] = key(by[i]), d.pair(i)
	}
	return &list{m.sorted(keys, pairs, m.truth(a[3]))}
}

func sortFilter(m *machine, a []any) any {
	var gets []func(any) any
	paths := []any{a[3]}
	if text, ok := asText(a[3]); ok {
		paths = nil
		for _, path := range strings.Split(text, ",") {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		gets = append(gets, m.caseless(m.getter(path, nil), a[2]))
	}
	items := m.items(a[0])
	keys := make([]any, len(items))
	for i, item := range items {
		key := &list{}
		for _, get := range gets {
			key.items = append(key.items, get(item))
		}
		keys[i] = key
	}
	return &list{m.sorted(keys, items, m.truth(a[1]))}
}

func groupby(m *machine, a []any) any {
	get := m.getter(a[1], a[2])
	key := m.caseless(get, a[3])
	items := m.items(a[0])
	keys := make([]any, len(items))
	for i, item := range items {
		keys[i] = key(item)
	}
	items = m.sorted(keys, items, false)
	out := &list{}
	for i := 0; i < len(items); {
		grouper := key(items[i])
		group := &list{}
		for ; i < len(items) && (len(group.items) == 0 || m.equal(key(items[i]), grouper)); i++ {
			group.items = append(group.items, items[i])
		}
		out.items = append(out.items, &tuple{[]any{get(group.items[0]), group}, []string{"grouper", "list"}})
	}
	return out
}

func first(m *machine, a []any) any {
	if item, ok := m.iterate(a[0])(); ok {
		return item
	}
	return &undefined{reason: "No first item, sequence was empty."}
}

func last(m *machine, a []any) any {
	items := m.reversible(a[0])
	if len(items) == 0 {
		return &undefined{reason: "No last item, sequence was empty."}
	}
	return items[len(items)-1]
}

// reversible returns the items of what has an order to go through backwards.
func (m *machine) reversible(v any) []any {
	if _, ok := v.(*iterator); ok {
		fail("'%s' object is not reversible", typeName(v))
	}
	return m.items(v)
}

func reverse(m *machine, a []any) any {
	if s, ok := asText(a[0]); ok {
		return alike(a[0], m.sliceText(s, [3]any{nil, nil, -1}))
	}
	items := slices.Clone(m.items(a[0]))
	slices.Reverse(items)
	if _, ok := a[0].(*iterator); ok {
		return &list{items}
	}
	return &iterator{kind: "reversed", next: each(items)}
}

func itemsFilter(m *machine, a []any) any {
	switch v := a[0].(type) {
	case *undefined:
		return generator(each(nil))
	case *dict:
		return generator((&view{"items", v}).each())
	}
	fail("Can only get item pairs from a mapping.")
	return nil
}

func join(m *machine, a []any) any {
	get := m.getter(a[2], nil)
	var b strings.Builder
	between := m.str(a[1])
	for i, item := range m.items(a[0]) {
		if i > 0 {
			m.append(&b, between)
		}
		m.append(&b, m.str(get(item)))
	}
	return b.String()
}

func mapFilter(m *machine, a []any) any {
	args, kwargs := a[1].(*tuple).items, a[2].(*dict)
	if !m.truth(a[0]) {
		return generator(each(nil))
	}
	change := func(any) any { return nil }
	if path, ok := kwargs.get("attribute"); ok && len(args) == 0 {
		otherwise, _ := kwargs.get("default")
		change = m.getter(path, otherwise)
	} else {
		if len(args) == 0 {
			fail("map requires a filter argument")
		}
		name, named := m.str(args[0]), entries(kwargs)
		change = func(item any) any { return m.filter(name, item, args[1:], named) }
	}
	next := m.iterate(a[0])
	return generator(func() (any, bool) {
		item, ok := next()
		if !ok {
			return nil, false
		}
		m.spend(1)
		return change(item), true
	})
}

// entries are the named arguments that a function was given.
func entries(d *dict) (named []namedValue) {
	for i, key := range d.keys {
		named = append(named, namedValue{key.(string), d.values[i]})
	}
	return named
}

// chosen is select or reject, by a test of the item or of an attribute.
func chosen(keep, byAttribute bool) run {
	return func(m *machine, a []any) any {
		args, named := a[1].(*tuple).items, entries(a[2].(*dict))
		if !m.truth(a[0]) {
			return generator(each(nil))
		}
		get := m.getter(nil, nil)
		if byAttribute {
			if len(args) == 0 {
				fail("Missing parameter for attribute name")
			}
			get, args = m.getter(args[0], nil), args[1:]
		}
		next := m.iterate(a[0])
		return generator(func() (any, bool) {
			for {
				item, ok := next()
				if !ok {
					return nil, false
				}
				m.spend(1)
				v := get(item)
				if len(args) > 0 {
					v = m.test(m.str(args[0]), v, args[1:], named)
				}
				if m.truth(v) == keep {
					return item, true
				}
			}
		})
	}
}

func unique(m *machine, a []any) any {
	key := m.caseless(m.getter(a[2], nil), a[1])
	next, seen := m.iterate(a[0]), map[any]bool{}
	return generator(func() (any, bool) {
		for {
			item, ok := next()
			if !ok {
				return nil, false
			}
			m.spend(1)
			if hash := m.hash(key(item)); !seen[hash] {
				seen[hash] = true
				return item, true
			}
		}
	})
}
