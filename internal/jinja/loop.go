package jinja

import "strings"

type forLoop struct {
	pos       int
	target    target
	over      expression
	test      expression // nil for none
	recursive bool
	body      []statement
	otherwise []statement
}

func (f *forLoop) run(m *machine, s *scope) flow {
	m.at = f.pos
	return f.iterate(m, s, m.eval(f.over, s), 0)
}

func (f *forLoop) iterate(m *machine, s *scope, over any, depth int) flow {
	l := &loop{f: f, scope: s, depth0: depth, index0: -1, over: over, next: f.tested(m, s, m.iterate(over))}
	whole := false // a turn that ran to its end; without one Jinja2 takes the else branch
	for {
		item, ok := l.advance()
		if !ok {
			break
		}
		m.spend(1)
		inner := s.inner()
		f.target.assign(m, inner, item)
		inner.set("loop", l)
		how := m.run(f.body, inner)
		if how == breaks {
			break
		}
		whole = whole || how == onwards
	}
	if !whole {
		return m.run(f.otherwise, s.inner())
	}
	return onwards
}

// tested leaves out what does not meet the loop's condition, one item at a time: the body may change what it asks.
func (f *forLoop) tested(m *machine, s *scope, next func() (any, bool)) func() (any, bool) {
	if f.test == nil {
		return next
	}
	return func() (any, bool) {
		for {
			item, ok := next()
			if !ok {
				return nil, false
			}
			inner := s.inner()
			f.target.assign(m, inner, item)
			if m.truth(m.eval(f.test, inner)) {
				return item, true
			}
		}
	}
}

// loop is the variable loop.
type loop struct {
	f      *forLoop
	scope  *scope
	depth0 int
	index0 int
	over   any
	next   func() (any, bool)

	current, before any
	after           any // looked at ahead
	ahead, ended    bool
	length          int // known where not 0
	changed         []any
}

func (l *loop) advance() (any, bool) {
	if !l.peek() {
		return nil, false
	}
	l.ahead = false
	l.index0++
	l.before, l.current = l.current, l.after
	return l.current, true
}

// peek looks at the next item.
func (l *loop) peek() bool {
	if !l.ahead && !l.ended {
		l.after, l.ahead = l.next()
		l.ended = !l.ahead
	}
	return l.ahead
}

func (l *loop) count(m *machine) int {
	if l.length > 0 {
		return l.length
	}
	if n, ok := size(l.over); ok && l.f.test == nil {
		l.length = n
		return n
	}
	var rest []any
	for {
		item, ok := l.next()
		if !ok {
			break
		}
		m.spend(1)
		rest = append(rest, item)
	}
	l.length = l.index0 + 1 + len(rest)
	if l.ahead {
		l.length++
	}
	l.next, l.ended = each(rest), false
	return l.length
}

func (l *loop) attribute(m *machine, name string) (any, bool) {
	switch name {
	case "index":
		return l.index0 + 1, true
	case "index0":
		return l.index0, true
	case "revindex":
		return l.count(m) - l.index0, true
	case "revindex0":
		return l.count(m) - l.index0 - 1, true
	case "first":
		return l.index0 == 0, true
	case "last":
		return !l.peek(), true
	case "length":
		return l.count(m), true
	case "depth":
		return l.depth0 + 1, true
	case "depth0":
		return l.depth0, true
	case "previtem":
		if l.index0 == 0 {
			return &undefined{reason: "there is no previous item"}, true
		}
		return l.before, true
	case "nextitem":
		if !l.peek() {
			return &undefined{reason: "there is no next item"}, true
		}
		return l.after, true
	case "cycle":
		return define("cycle *items", l.cycle), true
	case "changed":
		return define("changed *value", l.change), true
	}
	return nil, false
}

func (l *loop) cycle(_ *machine, a []any) any {
	items := a[0].(*tuple).items
	if len(items) == 0 {
		fail("cycle needs something to cycle through")
	}
	return items[l.index0%len(items)]
}

func (l *loop) change(m *machine, a []any) any {
	now := a[0].(*tuple).items
	if l.changed != nil && m.equalItems(l.changed, now) {
		return false
	}
	l.changed = append([]any{}, now...)
	return true
}

// call goes through a recursive loop again, with other items.
func (l *loop) call(m *machine, a []any, named []namedValue) any {
	if !l.f.recursive {
		fail("the loop must be marked recursive to be called")
	}
	if len(a) != 1 || len(named) > 0 {
		fail("loop() takes one argument")
	}
	m.deeper()
	outer := m.out
	m.out = &strings.Builder{}
	l.f.iterate(m, l.scope, a[0], l.depth0+1)
	text := m.out.String()
	m.out = outer
	m.depth--
	return text
}
