package jinja

import (
	"fmt"
	"maps"
	"strings"
)

// machine is one rendering.
type machine struct {
	globals map[string]any // the variables of Render and Jinja's functions
	filters map[string]*function
	tests   map[string]*function
	methods map[string]map[string]*function // by type
	out     *strings.Builder
	at      int // in the source, of what is evaluated
	work    int // see maxWork
	depth   int
	fixed   bool // the expression has no variables: Jinja2 forgives its constants a slice that they do not have
	written int  // bytes, to whatever block
}

func newMachine() *machine {
	return &machine{globals: maps.Clone(globals), filters: filters, tests: tests, methods: methods,
		out: &strings.Builder{}}
}

// spend counts n steps.
func (m *machine) spend(n int) {
	if m.work += n; m.work > maxWork || n > maxWork {
		m.work = maxWork
		exceed("it computes without end, or copies too much")
	}
}

// fill counts the making of a text of n bytes, before it is made.
func (m *machine) fill(n int) { m.spend(1 + max(n, 0)/8) }

// deeper bounds how far calls, values and expressions go into each other.
func (m *machine) deeper() {
	if m.depth++; m.depth > maxDepth {
		exceed("calls, expressions or values go too deep")
	}
}

func (m *machine) write(s string) {
	m.fill(len(s))
	if m.written += len(s); m.written > maxOutput {
		exceed(fmt.Sprintf("it writes over %d bytes", maxOutput))
	}
	m.out.WriteString(s)
}

func (m *machine) eval(e expression, s *scope) any {
	m.spend(1)
	m.deeper()
	v := e.eval(m, s)
	m.depth--
	return v
}

// run runs statements. It ends early where a loop is to be left or gone on with.
func (m *machine) run(body []statement, s *scope) flow {
	m.deeper()
	for _, statement := range body {
		m.spend(1)
		if f := statement.run(m, s); f != onwards {
			m.depth--
			return f
		}
	}
	m.depth--
	return onwards
}

// capture returns what body writes.
func (m *machine) capture(body []statement, s *scope) (string, flow) {
	outer := m.out
	m.out = &strings.Builder{}
	f := m.run(body, s)
	text := m.out.String()
	m.out = outer
	return text, f
}

// scope holds variables; what it lacks is looked up in the scope around it, and at last in the machine's globals.
// Loops, macros and some blocks have scopes of their own. An if has none.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (s *scope) inner() *scope { return &scope{outer: s} }

func (s *scope) set(name string, value any) {
	if s.vars == nil {
		s.vars = map[string]any{}
	}
	s.vars[name] = value
}

func (m *machine) lookup(s *scope, name string) any {
	for ; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	if v, ok := m.globals[name]; ok {
		return v
	}
	return &undefined{repr(name) + " is undefined", name}
}
