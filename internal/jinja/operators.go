package jinja

import (
	"math"
	"math/big"
	"slices"
	"strings"
)

// compute is a binary operator other than ~.
func (m *machine) compute(op string, a, b any) any {
	if isNumber(a) && isNumber(b) {
		return arithmetic(op, a, b)
	}
	s, text := asText(a)
	if op == "%" && text {
		return m.format(s, b)
	}
	refuseUndefined(a, b)
	switch op {
	case "+":
		if v, ok := m.add(a, b); ok {
			return v
		}
	case "*":
		if _, ok := asInt(a); ok {
			a, b = b, a
		}
		if n, ok := asInt(b); ok {
			if v, ok := m.repeat(a, n); ok {
				return v
			}
		}
	}
	fail("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
	return nil
}

func (m *machine) add(a, b any) (any, bool) {
	if x, ok := asText(a); ok {
		y, ok := asText(b)
		if !ok {
			fail(`can only concatenate str (not "%s") to str`, typeName(b))
		}
		_, safe := a.(markup)
		_, alsoSafe := b.(markup)
		switch {
		case safe && alsoSafe:
			return markup(m.concat(x, y)), true
		case safe:
			return markup(m.concat(x, m.escape(y))), true
		case alsoSafe:
			return markup(m.concat(m.escape(x), y)), true
		}
		return m.concat(x, y), true
	}
	switch a := a.(type) {
	case *list:
		if b, ok := b.(*list); ok {
			return &list{m.join(a.items, b.items)}, true
		}
	case *tuple:
		if b, ok := b.(*tuple); ok {
			return &tuple{items: m.join(a.items, b.items)}, true
		}
	}
	return nil, false
}

func (m *machine) concat(a, b string) string {
	m.fill(len(a) + len(b))
	return a + b
}

func (m *machine) join(a, b []any) []any {
	m.spend(len(a) + len(b))
	return append(append(make([]any, 0, len(a)+len(b)), a...), b...)
}

// repeat returns a sequence n times.
func (m *machine) repeat(v any, n int) (any, bool) {
	n = max(n, 0)
	times := func(size int) int { // what it costs
		if size > 0 && n > math.MaxInt/size {
			return math.MaxInt
		}
		return size * n
	}
	switch v := v.(type) {
	case string:
		m.fill(times(len(v)))
		return strings.Repeat(v, n), true
	case markup:
		m.fill(times(len(v)))
		return markup(strings.Repeat(string(v), n)), true
	case *list:
		return &list{m.repeatItems(v.items, n, times(len(v.items)))}, true
	case *tuple:
		return &tuple{items: m.repeatItems(v.items, n, times(len(v.items)))}, true
	}
	return nil, false
}

func (m *machine) repeatItems(items []any, n, cost int) []any {
	m.spend(cost)
	out := make([]any, 0, cost)
	for range n {
		if len(items) == 0 {
			break
		}
		out = append(out, items...)
	}
	return out
}

// sign is a unary + or -.
func (m *machine) sign(op string, v any) any {
	refuseUndefined(v)
	if z, ok := asBig(v); ok {
		if op == "-" {
			z = new(big.Int).Neg(z)
		}
		return normal(z)
	}
	f, ok := v.(float64)
	if !ok {
		fail("bad operand type for unary %s: '%s'", op, typeName(v))
	}
	if op == "-" {
		return -f
	}
	return f
}

var compares = map[string]bool{"<": true, "<=": true, ">": true, ">=": true}

func (m *machine) compare(op string, a, b any) bool {
	switch op {
	case "==":
		return m.equal(a, b)
	case "!=":
		return !m.equal(a, b)
	case "in":
		return m.contains(b, a)
	case "not in":
		return !m.contains(b, a)
	}
	return m.ordered(op, a, b)
}

// ordered is <, <=, > or >=.
func (m *machine) ordered(op string, a, b any) bool {
	m.spend(1)
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && holds(op, order)
	}
	x, xok := asText(a)
	y, yok := asText(b)
	if xok && yok {
		m.fill(min(len(x), len(y)))
		return holds(op, strings.Compare(x, y))
	}
	p, q := sequences(a, b)
	if p == nil || q == nil {
		refuseUndefined(a, b)
		fail("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	}
	m.deeper()
	defer func() { m.depth-- }()
	for i := range min(len(*p), len(*q)) {
		if !m.equal((*p)[i], (*q)[i]) {
			return m.ordered(op, (*p)[i], (*q)[i])
		}
	}
	return holds(op, len(*p)-len(*q))
}

func holds(op string, order int) bool {
	return order < 0 && op[0] == '<' || order > 0 && op[0] == '>' || order == 0 && len(op) == 2
}

// sequences returns the items of two lists or two tuples.
func sequences(a, b any) (p, q *[]any) {
	switch a := a.(type) {
	case *list:
		if b, ok := b.(*list); ok {
			return &a.items, &b.items
		}
	case *tuple:
		if b, ok := b.(*tuple); ok {
			return &a.items, &b.items
		}
	}
	return nil, nil
}

// compareNumbers is not ok where one is not a number.
func compareNumbers(a, b any) (order int, ok bool) {
	x, xok := asBig(a)
	y, yok := asBig(b)
	if xok && yok {
		return x.Cmp(y), true
	}
	f, isFloat := a.(float64)
	g, alsoFloat := b.(float64)
	if isFloat && math.IsNaN(f) || alsoFloat && math.IsNaN(g) {
		return 0, false
	}
	return bigFloat(a).Cmp(bigFloat(b)), true
}

func bigFloat(v any) *big.Float {
	if z, ok := asBig(v); ok {
		return new(big.Float).SetPrec(maxDigits * 4).SetInt(z)
	}
	return new(big.Float).SetPrec(maxDigits * 4).SetFloat64(v.(float64))
}

func (m *machine) equal(a, b any) bool {
	m.spend(1)
	if isNumber(a) && isNumber(b) {
		order, ok := compareNumbers(a, b)
		return ok && order == 0
	}
	x, xok := asText(a)
	y, yok := asText(b)
	if xok && yok {
		m.fill(min(len(x), len(y)))
		return x == y
	}
	if p, q := sequences(a, b); p != nil {
		return m.equalItems(*p, *q)
	}
	switch a := a.(type) {
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *dict:
		b, ok := b.(*dict)
		return ok && m.equalDicts(a, b)
	case numbers:
		b, ok := b.(numbers)
		return ok && a.len() == b.len() && (a.len() == 0 || a.start == b.start && (a.len() == 1 || a.step == b.step))
	case *view:
		b, ok := b.(*view)
		return ok && a.kind != "values" && len(a.of.keys) == len(b.of.keys) && !m.lacks(b, a)
	}
	return same(a, b)
}

func (m *machine) equalItems(a, b []any) bool {
	if len(a) != len(b) {
		return false
	}
	m.deeper()
	defer func() { m.depth-- }()
	for i := range a {
		if !same(a[i], b[i]) && !m.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// lacks says whether an item of the other view is not in v.
func (m *machine) lacks(v, other *view) bool {
	return slices.ContainsFunc(m.items(other), func(item any) bool { return !m.contains(v, item) })
}

func (m *machine) equalDicts(a, b *dict) bool {
	if len(a.keys) != len(b.keys) {
		return false
	}
	m.deeper()
	defer func() { m.depth-- }()
	for i, key := range a.keys {
		value, ok := b.get(m.hash(key))
		if !ok || !same(a.values[i], value) && !m.equal(a.values[i], value) {
			return false
		}
	}
	return true
}

// same says whether two values are one object, as far as a template can tell.
func same(a, b any) bool {
	x, isBig := a.(*big.Int)
	y, alsoBig := b.(*big.Int)
	if isBig && alsoBig {
		return x.Cmp(y) == 0
	}
	switch a.(type) {
	case nil, bool, int, float64, string, markup, numbers, *list, *tuple, *dict, *view, *iterator, *namespace,
		*undefined, *loop, *macro, *function:
		return a == b
	}
	return false
}

func (m *machine) viewContains(in *view, v any) bool {
	switch in.kind {
	case "keys":
		return m.contains(in.of, v)
	case "items":
		pair, ok := v.(*tuple)
		if !ok || len(pair.items) != 2 {
			return false
		}
		value, ok := in.of.get(m.hash(pair.items[0]))
		return ok && m.equal(value, pair.items[1])
	}
	return m.contains(&list{in.of.values}, v)
}

// contains is the operator in.
func (m *machine) contains(in, v any) bool {
	switch in := in.(type) {
	case string, markup:
		text, _ := asText(in)
		part, ok := asText(v)
		if !ok {
			refuseUndefined(v)
			fail("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		m.fill(len(text))
		return strings.Contains(text, part)
	case *dict:
		_, ok := in.get(m.hash(v))
		return ok
	case *view:
		return m.viewContains(in, v)
	}
	next := m.iterate(in)
	for {
		item, ok := next()
		if !ok {
			return false
		}
		if same(item, v) || m.equal(item, v) {
			return true
		}
	}
}
