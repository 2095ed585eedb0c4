package jinja

// statement is what stands between the expressions of a template: text and tags.
type statement interface {
	run(m *machine, s *scope) flow
}

// flow says how a loop goes on after a statement.
type flow int

const (
	onwards flow = iota
	breaks
	continues
)

func (f flow) run(*machine, *scope) flow { return f }

type text string

func (t text) run(m *machine, _ *scope) flow {
	m.write(string(t))
	return onwards
}

// output is {{ … }}.
type output struct {
	pos    int
	values []expression
	fixed  bool // there are no variables in it
}

func (o *output) run(m *machine, s *scope) flow {
	m.at = o.pos
	for _, e := range o.values {
		m.fixed = o.fixed
		text := m.str(m.eval(e, s))
		m.fixed = false
		m.write(text)
	}
	return onwards
}

type condition struct {
	pos       int
	tests     []expression
	bodies    [][]statement
	otherwise []statement
}

func (c *condition) run(m *machine, s *scope) flow {
	m.at = c.pos
	for i, test := range c.tests {
		if m.truth(m.eval(test, s)) {
			return m.run(c.bodies[i], s)
		}
	}
	return m.run(c.otherwise, s)
}

type assignment struct {
	pos    int
	target target
	value  expression
}

func (a *assignment) run(m *machine, s *scope) flow {
	m.at = a.pos
	a.target.assign(m, s, m.eval(a.value, s))
	return onwards
}

// blockAssignment is {% set x %}…{% endset %}.
type blockAssignment struct {
	pos    int
	target target
	filter expression // nil for none
	body   []statement
}

func (b *blockAssignment) run(m *machine, s *scope) flow {
	text, f := m.capture(b.body, s.inner())
	if f == onwards {
		m.at = b.pos
		b.target.assign(m, s, m.filtered(b.filter, s, text))
	}
	return f
}

type filterBlock struct {
	pos    int
	filter expression
	body   []statement
}

func (b *filterBlock) run(m *machine, s *scope) flow {
	text, f := m.capture(b.body, s.inner())
	if f == onwards {
		m.at = b.pos
		m.write(m.str(m.filtered(b.filter, s, text)))
	}
	return f
}

// filtered applies filters that were read without what they are applied to.
func (m *machine) filtered(filters expression, s *scope, text string) any {
	if filters == nil {
		return text
	}
	inner := s.inner()
	inner.set(blockText, text)
	return m.eval(filters, inner)
}

// blockText is the variable that filters of a block are applied to; no name can be spelled so.
const blockText = " block"

// generation is transformers' tag for what the model wrote: its body.
type generation struct{ body []statement }

func (g *generation) run(m *machine, s *scope) flow { return m.run(g.body, s.inner()) }

type with struct {
	pos     int
	targets []target
	values  []expression
	body    []statement
}

func (w *with) run(m *machine, s *scope) flow {
	m.at = w.pos
	inner := s.inner()
	for i, target := range w.targets {
		target.assign(m, inner, m.eval(w.values[i], s))
	}
	return m.run(w.body, inner)
}

// target is what can be assigned to.
type target interface {
	assign(m *machine, s *scope, value any)
	// mentions says whether the variable is assigned to.
	mentions(name string) bool
}

func (v *variable) assign(_ *machine, s *scope, value any) { s.set(v.name, value) }
func (v *variable) mentions(name string) bool              { return v.name == name }

// attributeTarget is an attribute of a namespace.
type attributeTarget struct {
	pos       int
	of, field string
}

func (a *attributeTarget) eval(m *machine, s *scope) any {
	return (&attribute{a.pos, &variable{a.pos, a.of}, a.field}).eval(m, s)
}

func (a *attributeTarget) mentions(string) bool { return false }

func (a *attributeTarget) assign(m *machine, s *scope, value any) {
	n, ok := m.lookup(s, a.of).(*namespace)
	if !ok {
		m.at = a.pos
		fail("cannot assign to the attribute %s of %s, which is no namespace", a.field, a.of)
	}
	n.attributes.put(a.field, value)
}

type tupleTarget struct {
	pos   int
	parts []target
}

func (t *tupleTarget) mentions(name string) bool {
	for _, part := range t.parts {
		if part.mentions(name) {
			return true
		}
	}
	return false
}

func (t *tupleTarget) assign(m *machine, s *scope, value any) {
	items := m.items(value)
	if len(items) != len(t.parts) {
		m.at = t.pos
		fail("%d values for %d names", len(items), len(t.parts))
	}
	for i, part := range t.parts {
		part.assign(m, s, items[i])
	}
}
