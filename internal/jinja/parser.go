package jinja

import (
	"maps"
	"slices"
	"strings"
)

// parser makes statements and expressions of tokens, by the grammar of Jinja2.
type parser struct {
	tokens []token
	i      int
	at     *int // where an error is reported
	nested int
	loops  int             // around the place that is read, in the same body
	said   map[string]bool // the variables that the body speaks of
	varied int             // variables and calls that were read: what has none of them is a constant
}

func (p *parser) current() token {
	*p.at = p.tokens[p.i].pos
	return p.tokens[p.i]
}

func (p *parser) look() token { return p.tokens[min(p.i+1, len(p.tokens)-1)] }

func (p *parser) next() token {
	t := p.current()
	if t.kind != eof {
		p.i++
	}
	return t
}

// is says whether the current token is the operator or the name.
func (p *parser) is(text string) bool { return p.current().is(text) }

func (t token) is(text string) bool { return (t.kind == operator || t.kind == name) && t.text == text }

func (p *parser) skip(text string) bool {
	if p.is(text) {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.skip(text) {
		fail("expected %q, got %s", text, p.current())
	}
}

func (p *parser) kind(k kind, what string) token {
	if t := p.current(); t.kind != k {
		fail("expected %s, got %s", what, t)
	}
	return p.next()
}

func (p *parser) name() string {
	t := p.kind(name, "a name")
	if t.text[0] >= '0' && t.text[0] <= '9' {
		fail("%q is no name", t.text)
	}
	return t.text
}

func (t token) String() string {
	switch t.kind {
	case eof:
		return "the end of the template"
	case data:
		return "text"
	case variableEnd, blockEnd:
		return "the end of the tag, " + t.text
	}
	return shorten("'"+t.text+"'", maxConstruct)
}

// deeper bounds how far expressions and blocks go into each other.
func (p *parser) deeper() func() {
	if p.nested++; p.nested > maxNested {
		fail("over %d brackets, tags or operators inside each other", maxNested)
	}
	return func() { p.nested-- }
}

func (p *parser) template() []statement {
	body := p.body()
	if p.current().kind != eof {
		fail("unexpected tag %q", p.look().text)
	}
	return body
}

// body reads statements up to the end of the template or a tag of one of the names, at whose bracket it stops.
func (p *parser) body(until ...string) (body []statement) {
	defer p.deeper()()
	opened := max(0, p.i-1)
	for {
		switch t := p.current(); t.kind {
		case eof:
			if len(until) > 0 {
				*p.at = p.tokens[opened].pos
				fail("the template ends without %s", strings.Join(until, " or "))
			}
			return body
		case data:
			body = append(body, text(t.text))
			p.next()
		case variableBegin:
			p.next()
			varied := p.varied
			o := &output{t.pos, []expression{p.tuple(anyExpression)}, false}
			o.fixed = p.varied == varied
			body = append(body, o)
			p.kind(variableEnd, "}}")
		case blockBegin:
			if word := p.look(); slices.Contains(until, word.text) && word.kind == name {
				return body
			}
			p.next()
			body = append(body, p.statement(t.pos))
		}
	}
}

// block reads the body of a tag whose words have been read, and the tag that ends it, whose name it returns.
func (p *parser) block(until ...string) (body []statement, end string) {
	p.skip(":")
	p.kind(blockEnd, "%}")
	body = p.body(until...)
	p.next()
	return body, p.next().text
}

// closed is block where nothing but the end tag may follow.
func (p *parser) closed(end string) []statement {
	body, _ := p.block(end)
	p.kind(blockEnd, "%}")
	return body
}

// fenced reads a body that becomes a function of its own, so that no loop around it can be left from within, and
// returns which variables it speaks of.
func (p *parser) fenced(end string) (body []statement, said map[string]bool) {
	loops, outer := p.loops, p.said
	p.loops, p.said = 0, map[string]bool{}
	body = p.closed(end)
	said = p.said
	p.loops, p.said = loops, outer
	maps.Copy(p.said, said)
	return body, said
}

func (p *parser) statement(pos int) statement {
	word := p.kind(name, "the name of a tag")
	switch word.text {
	case "for":
		return p.forLoop(pos)
	case "if":
		return p.condition(pos)
	case "set":
		return p.set(pos)
	case "macro":
		m := &macroTag{pos: pos, name: p.name()}
		m.parameters = p.parameters()
		m.examine(p.fenced("endmacro"))
		return m
	case "call":
		return p.callBlock(pos)
	case "filter":
		f := &filterBlock{pos: pos}
		f.filter = p.filters(p.filterNamed(&variable{pos, blockText}), false)
		f.body = p.closed("endfilter")
		return f
	case "generation":
		body, _ := p.fenced("endgeneration")
		return &generation{body}
	case "with":
		return p.with(pos)
	case "print":
		return p.print(pos)
	case "break", "continue":
		return p.jump(word.text)
	}
	fail("unknown tag %q", word.text)
	return nil
}

func (p *parser) jump(word string) statement {
	if p.loops == 0 {
		fail("%s outside of a loop", word)
	}
	p.kind(blockEnd, "%}")
	if word == "break" {
		return breaks
	}
	return continues
}

func (p *parser) forLoop(pos int) statement {
	f := &forLoop{pos: pos, target: p.target(false, "in")}
	if f.target.mentions("loop") {
		fail("a loop cannot assign to the variable loop")
	}
	p.expect("in")
	f.over = p.tuple(func(p *parser) expression { return p.or() }, "recursive")
	if p.skip("if") {
		f.test = p.expression()
	}
	f.recursive = p.skip("recursive")
	p.loops++
	body, end := p.block("endfor", "else")
	p.loops--
	f.body = body
	if end == "else" {
		f.otherwise, _ = p.block("endfor")
	}
	p.kind(blockEnd, "%}")
	return f
}

func (p *parser) condition(pos int) statement {
	c := &condition{pos: pos}
	for {
		test := p.tuple(func(p *parser) expression { return p.or() })
		body, end := p.block("elif", "else", "endif")
		c.tests, c.bodies = append(c.tests, test), append(c.bodies, body)
		if end == "else" {
			c.otherwise, end = p.block("endif")
		}
		if end == "endif" {
			p.kind(blockEnd, "%}")
			return c
		}
	}
}

func (p *parser) set(pos int) statement {
	target := p.target(true)
	if p.skip("=") {
		s := &assignment{pos, target, p.tuple(anyExpression)}
		p.kind(blockEnd, "%}")
		return s
	}
	b := &blockAssignment{pos: pos, target: target}
	if p.is("|") {
		b.filter = p.filters(&variable{pos, blockText}, false)
	}
	b.body = p.closed("endset")
	return b
}

func (p *parser) callBlock(pos int) statement {
	c := &callBlock{pos: pos, caller: &macroTag{pos: pos, name: "caller"}}
	if p.is("(") {
		c.caller.parameters = p.parameters()
	}
	called, ok := p.expression().(*call)
	if !ok {
		fail("a call block needs a call")
	}
	c.called = called
	c.caller.examine(p.fenced("endcall"))
	return c
}

func (p *parser) with(pos int) statement {
	w := &with{pos: pos}
	for p.current().kind != blockEnd {
		if len(w.targets) > 0 {
			p.expect(",")
		}
		w.targets = append(w.targets, p.target(false))
		p.expect("=")
		w.values = append(w.values, p.expression())
	}
	w.body = p.closed("endwith")
	return w
}

func (p *parser) print(pos int) statement {
	o := &output{pos: pos}
	for p.current().kind != blockEnd {
		if len(o.values) > 0 {
			p.expect(",")
		}
		o.values = append(o.values, p.expression())
	}
	p.next()
	return o
}

// parameters reads the parameters of a macro, with their defaults.
func (p *parser) parameters() (list []parameter) {
	p.expect("(")
	for !p.is(")") {
		if len(list) > 0 {
			p.expect(",")
		}
		param := parameter{name: p.name()}
		if p.skip("=") {
			param.fallback = p.expression()
		} else if len(list) > 0 && list[len(list)-1].fallback != nil {
			fail("the parameter %s, which has no default, follows one that has", param.name)
		}
		list = append(list, param)
	}
	p.next()
	return list
}

// target reads what is assigned to: names, also in tuples, and with attributes the attributes of namespaces.
func (p *parser) target(attributes bool, until ...string) target {
	e := p.tuple(func(p *parser) expression {
		if attributes && p.current().kind == name && p.look().is(".") {
			t := p.next()
			p.next()
			return &attributeTarget{t.pos, t.text, p.name()}
		}
		return p.primary()
	}, until...)
	t := asTarget(e)
	if t == nil {
		fail("only names can be assigned to")
	}
	return t
}

func asTarget(e expression) target {
	switch e := e.(type) {
	case *variable:
		return e
	case *attributeTarget:
		return e
	case *tupleLiteral:
		t := &tupleTarget{pos: e.pos}
		for _, item := range e.items {
			part := asTarget(item)
			if part == nil {
				return nil
			}
			t.parts = append(t.parts, part)
		}
		return t
	}
	return nil
}
