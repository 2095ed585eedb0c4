package jinja

import "slices"

// macroTag is a macro, or the body of a call block.
type macroTag struct {
	pos        int
	name       string
	parameters []parameter
	body       []statement

	caller, kwargs, varargs bool // the special variables that the body speaks of
}

type parameter struct {
	name     string
	fallback expression // nil for none
}

// examine takes the body and finds out which special variables it speaks of: others are not taken from a call.
func (t *macroTag) examine(body []statement, said map[string]bool) {
	t.body = body
	free := func(name string) bool {
		return said[name] && !slices.ContainsFunc(t.parameters, func(p parameter) bool { return p.name == name })
	}
	t.caller, t.kwargs, t.varargs = free("caller"), free("kwargs"), free("varargs")
}

func (t *macroTag) run(_ *machine, s *scope) flow {
	s.set(t.name, &macro{t, s})
	return onwards
}

// macro is a macro in the scope that it was defined in, whose variables it sees.
type macro struct {
	*macroTag
	scope *scope
}

func (c *macro) call(m *machine, a []any, named []namedValue) any {
	inner := c.scope.inner()
	left := map[string]any{}
	for _, n := range named {
		left[n.name] = n.value
	}
	n := min(len(a), len(c.parameters))
	missing := make([]bool, len(c.parameters))
	for i, p := range c.parameters {
		value, ok := left[p.name]
		switch {
		case i < n:
			inner.set(p.name, a[i])
		case ok:
			inner.set(p.name, value)
			delete(left, p.name)
		default:
			missing[i] = true
		}
	}
	c.special(inner, named, left, a[n:])
	for i, p := range c.parameters {
		switch {
		case !missing[i]:
		case p.fallback != nil:
			inner.set(p.name, m.eval(p.fallback, inner))
		default:
			inner.set(p.name, &undefined{reason: "parameter " + repr(p.name) + " was not provided"})
		}
	}
	text, _ := m.capture(c.body, inner)
	return text
}

// special sets the special variables to what no parameter took.
func (c *macro) special(inner *scope, named []namedValue, left map[string]any, rest []any) {
	if c.caller {
		caller := left["caller"]
		if caller == nil {
			caller = &undefined{reason: "No caller defined"}
		}
		inner.set("caller", caller)
		delete(left, "caller")
	}
	kwargs := newDict()
	for _, n := range named {
		if _, ok := left[n.name]; ok {
			kwargs.put(n.name, n.value)
		}
	}
	if c.kwargs {
		inner.set("kwargs", kwargs)
	} else if len(left) > 0 {
		fail("macro %s takes no keyword argument %s", repr(c.name), repr(kwargs.keys[0]))
	}
	if c.varargs {
		inner.set("varargs", &tuple{items: rest})
	} else if len(rest) > 0 {
		fail("macro %s takes not more than %d arguments", repr(c.name), len(c.parameters))
	}
}

func (c *macro) attribute(_ *machine, name string) (any, bool) {
	switch name {
	case "name":
		return c.name, true
	case "arguments":
		names := &tuple{}
		for _, p := range c.parameters {
			names.items = append(names.items, p.name)
		}
		return names, true
	case "catch_kwargs":
		return c.kwargs, true
	case "catch_varargs":
		return c.varargs, true
	case "caller":
		return c.caller, true
	}
	return nil, false
}

type callBlock struct {
	pos    int
	called *call
	caller *macroTag
}

func (c *callBlock) run(m *machine, s *scope) flow {
	m.at = c.pos
	m.write(m.str(c.called.invoke(m, s, namedValue{"caller", &macro{c.caller, s}})))
	return onwards
}
