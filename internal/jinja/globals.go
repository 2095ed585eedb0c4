package jinja

import "time"

// globals are the functions that every template has.
var globals = map[string]any{
	"range":           define("range *bounds", makeRange),
	"dict":            define("dict *from **entries", makeDict),
	"namespace":       define("namespace *from **entries", makeNamespace),
	"cycler":          define("cycler *items", makeCycler),
	"joiner":          define("joiner *sep", makeJoiner),
	"raise_exception": define("raise_exception message", raise),
	"strftime_now":    define("strftime_now format", now),
}

// maxRange bounds range as Jinja2's sandbox does.
const maxRange = 100_000

func makeRange(_ *machine, a []any) any {
	r := numbers{step: 1}
	switch bounds := a[0].(*tuple).items; len(bounds) {
	case 1:
		r.stop = integer(bounds[0])
	case 2:
		r.start, r.stop = integer(bounds[0]), integer(bounds[1])
	case 3:
		r.start, r.stop, r.step = integer(bounds[0]), integer(bounds[1]), integer(bounds[2])
	default:
		fail("range expected 1 to 3 arguments, got %d", len(bounds))
	}
	const far = 1 << 60
	switch {
	case r.step == 0:
		fail("range() arg 3 must not be zero")
	case max(r.start, r.stop, r.step, -r.start, -r.stop, -r.step) > far || r.len() > maxRange:
		fail("range too big: at most %d numbers", maxRange)
	}
	return r
}

func makeDict(m *machine, a []any) any {
	d := newDict()
	switch from := a[0].(*tuple).items; {
	case len(from) > 1:
		fail("dict expected at most 1 argument, got %d", len(from))
	case len(from) == 1:
		m.fillDict(d, from[0])
	}
	m.merge(d, a[1].(*dict))
	return d
}

// fillDict puts a dict, or pairs, into d.
func (m *machine) fillDict(d *dict, from any) {
	if other, ok := from.(*dict); ok {
		m.merge(d, other)
		return
	}
	for _, item := range m.items(from) {
		pair := m.items(item)
		if len(pair) != 2 {
			fail("dictionary update sequence element has length %d; 2 is required", len(pair))
		}
		m.put(d, pair[0], pair[1])
	}
}

func makeNamespace(m *machine, a []any) any { return &namespace{makeDict(m, a).(*dict)} }

// cycler goes through its items, again and again.
type cycler struct {
	items []any
	pos   int
}

func makeCycler(_ *machine, a []any) any {
	items := a[0].(*tuple).items
	if len(items) == 0 {
		fail("at least one item has to be provided")
	}
	return &cycler{items: items}
}

func (c *cycler) attribute(_ *machine, name string) (any, bool) {
	switch name {
	case "current":
		return c.items[c.pos], true
	case "next":
		return define("next", func(*machine, []any) any {
			v := c.items[c.pos]
			c.pos = (c.pos + 1) % len(c.items)
			return v
		}), true
	case "reset":
		return define("reset", func(*machine, []any) any {
			c.pos = 0
			return nil
		}), true
	case "items":
		return &tuple{items: c.items}, true
	case "pos":
		return c.pos, true
	}
	return nil, false
}

// joiner is empty at its first call, and its separator at all others.
type joiner struct {
	sep  any
	used bool
}

func makeJoiner(_ *machine, a []any) any {
	j := &joiner{sep: ", "}
	if sep := a[0].(*tuple).items; len(sep) > 0 {
		j.sep = sep[0]
	}
	return j
}

func (j *joiner) call(*machine, []any, []namedValue) any {
	if !j.used {
		j.used = true
		return ""
	}
	return j.sep
}

func raise(m *machine, a []any) any {
	fail("%s", m.str(a[0]))
	return nil
}

// today is what strftime_now tells, always the same: a prompt must not change at midnight, or trees would not
// repeat. It is the cut-off date that Llama's template falls back on.
var today = time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC)

func now(m *machine, a []any) any {
	layout, ok := asText(a[0])
	if !ok {
		fail("strftime() argument 1 must be str, not %s", typeName(a[0]))
	}
	m.fill(8 * len(layout))
	return strftime(layout, today)
}
