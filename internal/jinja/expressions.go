package jinja

// expression is what has a value.
type expression interface {
	eval(m *machine, s *scope) any
}

type constant struct{ value any }

func (c constant) eval(*machine, *scope) any { return c.value }

type variable struct {
	pos  int
	name string
}

func (v *variable) eval(m *machine, s *scope) any {
	m.at = v.pos
	return m.lookup(s, v.name)
}

type listLiteral struct {
	pos   int
	items []expression
}

func (l *listLiteral) eval(m *machine, s *scope) any { return &list{m.all(l.items, s)} }

type tupleLiteral struct {
	pos   int
	items []expression
}

func (t *tupleLiteral) eval(m *machine, s *scope) any { return &tuple{items: m.all(t.items, s)} }

func (m *machine) all(items []expression, s *scope) []any {
	values := make([]any, len(items))
	for i, e := range items {
		values[i] = m.eval(e, s)
	}
	return values
}

type dictLiteral struct {
	pos          int
	keys, values []expression
}

func (d *dictLiteral) eval(m *machine, s *scope) any {
	out := newDict()
	for i := range d.keys {
		key, value := m.eval(d.keys[i], s), m.eval(d.values[i], s)
		m.at = d.pos
		m.put(out, key, value)
	}
	return out
}

// conditional is an inline if; without an else it may be undefined.
type conditional struct {
	pos                   int
	then, test, otherwise expression
}

func (c *conditional) eval(m *machine, s *scope) any {
	switch {
	case m.truth(m.eval(c.test, s)):
		return m.eval(c.then, s)
	case c.otherwise != nil:
		return m.eval(c.otherwise, s)
	}
	return &undefined{reason: "the inline if has no else, and its condition does not hold"}
}

// logic is an and or an or. Its value is that of one of its sides.
type logic struct {
	pos         int
	or          bool
	left, right expression
}

func (l *logic) eval(m *machine, s *scope) any {
	left := m.eval(l.left, s)
	if m.truth(left) == l.or {
		return left
	}
	return m.eval(l.right, s)
}

type not struct {
	pos int
	of  expression
}

func (n *not) eval(m *machine, s *scope) any { return !m.truth(m.eval(n.of, s)) }

type unary struct {
	pos      int
	operator string
	of       expression
}

func (u *unary) eval(m *machine, s *scope) any {
	v := m.eval(u.of, s)
	m.at = u.pos
	return m.sign(u.operator, v)
}

type binary struct {
	pos         int
	operator    string
	left, right expression
}

func (b *binary) eval(m *machine, s *scope) any {
	left, right := m.eval(b.left, s), m.eval(b.right, s)
	m.at = b.pos
	if b.operator == "~" {
		return m.concat(m.str(left), m.str(right))
	}
	return m.compute(b.operator, left, right)
}

// comparison is a chain of comparisons, as a < b < c.
type comparison struct {
	pos       int
	first     expression
	operators []string
	others    []expression
}

func (c *comparison) eval(m *machine, s *scope) any {
	left := m.eval(c.first, s)
	for i, op := range c.operators {
		right := m.eval(c.others[i], s)
		m.at = c.pos
		if !m.compare(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

type attribute struct {
	pos  int
	of   expression
	name string
}

func (a *attribute) eval(m *machine, s *scope) any {
	of := m.eval(a.of, s)
	m.at = a.pos
	return m.attribute(of, a.name)
}

type subscript struct {
	pos   int
	of    expression
	index expression
}

func (x *subscript) eval(m *machine, s *scope) any {
	of := m.eval(x.of, s)
	if part, ok := x.index.(*slice); ok {
		bounds := [3]any{}
		for i, e := range []expression{part.start, part.stop, part.step} {
			if e != nil {
				bounds[i] = m.eval(e, s)
			}
		}
		m.at = x.pos
		if _, sized := size(of); m.fixed && (!sized || is[*dict](of)) {
			return &undefined{reason: describe(of) + " has no such slice"}
		}
		return m.slice(of, bounds)
	}
	index := m.eval(x.index, s)
	m.at = x.pos
	return m.item(of, index)
}

// slice is [start:stop:step]; a part that is missing is nil.
type slice struct {
	pos               int
	start, stop, step expression
}

// eval is for a slice among several subscripts, which no value takes.
func (x *slice) eval(m *machine, _ *scope) any {
	m.at = x.pos
	fail("a slice stands alone in its brackets")
	return nil
}

// arguments are those of a call, a filter or a test.
type arguments struct {
	positional []expression
	rest       expression // behind *
	names      []string
	named      []expression
	keywords   expression // behind **
}

// namedValue is an argument with its name.
type namedValue struct {
	name  string
	value any
}

func (a *arguments) eval(m *machine, s *scope) (values []any, named []namedValue) {
	values = m.all(a.positional, s)
	if a.rest != nil {
		values = append(values, m.items(m.eval(a.rest, s))...)
	}
	for i, name := range a.names {
		named = append(named, namedValue{name, m.eval(a.named[i], s)})
	}
	if a.keywords != nil {
		d, ok := m.eval(a.keywords, s).(*dict)
		if !ok {
			fail("what stands behind ** is no mapping")
		}
		for i, key := range d.keys {
			name, ok := key.(string)
			if !ok {
				fail("the name of an argument is no text")
			}
			named = append(named, namedValue{name, d.values[i]})
		}
	}
	seen := map[string]bool{}
	for _, n := range named {
		m.spend(1)
		if seen[n.name] {
			fail("the argument %s is given twice", n.name)
		}
		seen[n.name] = true
	}
	return values, named
}

type call struct {
	pos int
	of  expression
	arguments
}

func (c *call) eval(m *machine, s *scope) any { return c.invoke(m, s) }

// invoke calls, with more named arguments than are written.
func (c *call) invoke(m *machine, s *scope, more ...namedValue) any {
	of := m.eval(c.of, s)
	values, named := c.arguments.eval(m, s)
	m.at = c.pos
	return m.call(of, values, append(named, more...))
}

// application is of|name(…), a filter, or of is name(…), a test.
type application struct {
	pos  int
	of   expression
	name string
	arguments
	apply func(m *machine, name string, of any, values []any, named []namedValue) any
}

func (a *application) eval(m *machine, s *scope) any {
	of := m.eval(a.of, s)
	values, named := a.arguments.eval(m, s)
	m.at = a.pos
	return a.apply(m, a.name, of, values, named)
}

func (m *machine) filter(name string, of any, values []any, named []namedValue) any {
	f, ok := m.filters[name]
	if !ok {
		fail("no filter named %s", repr(name))
	}
	return f.call(m, append([]any{of}, values...), named)
}

func (m *machine) test(name string, of any, values []any, named []namedValue) any {
	t, ok := m.tests[name]
	if !ok {
		fail("no test named %s", repr(name))
	}
	return t.call(m, append([]any{of}, values...), named)
}
