package jinja

// anyExpression reads an expression with its inline ifs.
func anyExpression(p *parser) expression { return p.expression() }

func (p *parser) expression() expression {
	defer p.deeper()()
	e := p.or()
	for p.is("if") {
		pos := p.next().pos
		c := &conditional{pos: pos, then: e, test: p.or()}
		if p.skip("else") {
			c.otherwise = p.expression()
		}
		e = c
	}
	return e
}

func (p *parser) or() expression {
	e := p.and()
	for p.is("or") {
		e = &logic{p.next().pos, true, e, p.and()}
	}
	return e
}

func (p *parser) and() expression {
	e := p.not()
	for p.is("and") {
		e = &logic{p.next().pos, false, e, p.not()}
	}
	return e
}

func (p *parser) not() expression {
	if p.is("not") {
		defer p.deeper()()
		return &not{p.next().pos, p.not()}
	}
	return p.comparison()
}

func (p *parser) comparison() expression {
	e := p.sum()
	c := &comparison{first: e}
	for {
		t := p.current()
		switch {
		case t.kind == operator && (compares[t.text] || t.text == "==" || t.text == "!="):
			p.next()
		case p.skip("in"):
		case t.is("not") && p.look().is("in"):
			p.i += 2
			t.text = "not in"
		case len(c.operators) == 0:
			return e
		default:
			return c
		}
		c.pos = t.pos
		c.operators, c.others = append(c.operators, t.text), append(c.others, p.sum())
	}
}

// chain reads operands that stand between operators, from left to right.
func (p *parser) chain(operand func() expression, operators ...string) expression {
	e := operand()
	for {
		t := p.current()
		found := false
		for _, op := range operators {
			found = found || t.kind == operator && t.text == op
		}
		if !found {
			return e
		}
		p.next()
		e = &binary{t.pos, t.text, e, operand()}
	}
}

func (p *parser) sum() expression     { return p.chain(p.joined, "+", "-") }
func (p *parser) joined() expression  { return p.chain(p.product, "~") }
func (p *parser) product() expression { return p.chain(p.power, "*", "/", "//", "%") }
func (p *parser) power() expression {
	return p.chain(func() expression { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) expression {
	var e expression
	if t := p.current(); t.is("-") || t.is("+") {
		defer p.deeper()()
		p.next()
		e = &unary{t.pos, t.text, p.unary(false)}
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if filters {
		e = p.filters(e, true)
	}
	return e
}

func (p *parser) primary() expression {
	t := p.next()
	switch {
	case t.kind == name:
		return p.variable(t)
	case t.kind == str:
		text := t.value.(string)
		for p.current().kind == str {
			text += p.next().value.(string)
		}
		return constant{text}
	case t.kind == number:
		return constant{t.value}
	case t.is("("):
		e := p.enclosed(t.pos)
		p.expect(")")
		return e
	case t.is("["):
		return &listLiteral{t.pos, p.items("]", anyExpression)}
	case t.is("{"):
		return p.dict(t.pos)
	}
	*p.at = t.pos
	fail("expected an expression, got %s", t)
	return nil
}

func (p *parser) variable(t token) expression {
	switch t.text {
	case "true", "True":
		return constant{true}
	case "false", "False":
		return constant{false}
	case "none", "None":
		return constant{nil}
	}
	if t.text[0] >= '0' && t.text[0] <= '9' {
		fail("%q is no name", t.text)
	}
	p.said[t.text] = true
	p.varied++
	return &variable{t.pos, t.text}
}

// enclosed reads what stands in parentheses: an expression, or a tuple, which may be empty.
func (p *parser) enclosed(pos int) expression {
	if p.is(")") {
		return &tupleLiteral{pos: pos}
	}
	return p.tuple(anyExpression)
}

// tuple reads an expression, or several with commas between, up to the end of the tag, a closing parenthesis or one
// of the words.
func (p *parser) tuple(item func(*parser) expression, until ...string) expression {
	defer p.deeper()()
	t := &tupleLiteral{pos: p.current().pos}
	for {
		if p.ends(until) {
			break
		}
		t.items = append(t.items, item(p))
		if !p.skip(",") {
			if len(t.items) == 1 {
				return t.items[0]
			}
			return t
		}
	}
	if len(t.items) == 0 {
		fail("expected an expression, got %s", p.current())
	}
	return t
}

func (p *parser) ends(words []string) bool {
	t := p.current()
	for _, word := range words {
		if t.is(word) {
			return true
		}
	}
	return t.kind == variableEnd || t.kind == blockEnd || t.is(")")
}

// items reads expressions up to a closing bracket. The last may have a comma behind it.
func (p *parser) items(end string, item func(*parser) expression) (items []expression) {
	for !p.skip(end) {
		if len(items) > 0 {
			p.expect(",")
			if p.skip(end) {
				break
			}
		}
		items = append(items, item(p))
	}
	return items
}

func (p *parser) dict(pos int) expression {
	d := &dictLiteral{pos: pos}
	p.items("}", func(p *parser) expression {
		d.keys = append(d.keys, p.expression())
		p.expect(":")
		d.values = append(d.values, p.expression())
		return nil
	})
	return d
}

func (p *parser) postfix(e expression) expression {
	for {
		t := p.current()
		switch {
		case t.is("."):
			p.next()
			if n := p.current(); n.kind == number && n.value != nil {
				if _, isFloat := n.value.(float64); isFloat {
					fail("expected a name or a number, got %s", n)
				}
				p.next()
				e = &subscript{t.pos, e, constant{n.value}}
				continue
			}
			e = &attribute{t.pos, e, p.name()}
		case t.is("["):
			p.next()
			e = &subscript{t.pos, e, p.subscripts(t.pos)}
		case t.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

func (p *parser) subscripts(pos int) expression {
	items := p.items("]", func(p *parser) expression { return p.subscribed() })
	if len(items) == 1 {
		return items[0]
	}
	return &tupleLiteral{pos, items}
}

// subscribed reads what may stand in square brackets: an expression or a slice.
func (p *parser) subscribed() expression {
	s := &slice{pos: p.current().pos}
	part := func(into *expression) {
		if !p.is(":") && !p.is("]") && !p.is(",") {
			*into = p.expression()
		}
	}
	if part(&s.start); !p.skip(":") {
		if s.start == nil {
			fail("expected an expression, got %s", p.current())
		}
		return s.start
	}
	if part(&s.stop); p.skip(":") {
		part(&s.step)
	}
	return s
}

func (p *parser) call(e expression) expression {
	p.varied++
	c := &call{pos: p.current().pos, of: e}
	c.arguments = p.arguments()
	return c
}

func (p *parser) arguments() (a arguments) {
	p.expect("(")
	for first := true; !p.is(")"); first = false {
		if !first {
			p.expect(",")
			if p.is(")") {
				break
			}
		}
		p.argument(&a)
	}
	p.next()
	return a
}

func (p *parser) argument(a *arguments) {
	switch {
	case a.keywords != nil:
		fail("an argument behind **")
	case p.skip("**"):
		a.keywords = p.expression()
	case p.current().kind == name && p.look().is("="):
		a.names = append(a.names, p.name())
		p.next()
		a.named = append(a.named, p.expression())
	case a.rest != nil:
		fail("a positional argument behind *")
	case p.skip("*"):
		a.rest = p.expression()
	case len(a.named) > 0:
		fail("a positional argument behind one with a name")
	default:
		a.positional = append(a.positional, p.expression())
	}
}

// filters reads the filters that follow an expression, and with tests also the tests and calls.
func (p *parser) filters(e expression, tests bool) expression {
	for {
		switch {
		case p.skip("|"):
			e = p.filterNamed(e)
		case tests && p.is("is"):
			p.next()
			e = p.test(e)
		case tests && p.is("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

// filterNamed reads a filter's name and its arguments.
func (p *parser) filterNamed(of expression) expression {
	f := &application{pos: p.current().pos, of: of, name: p.dotted(), apply: (*machine).filter}
	if mapping[f.name] {
		p.varied++
	}
	if p.is("(") {
		f.arguments = p.arguments()
	}
	return f
}

// mapping are the filters that look at the rendering, so that Jinja2 takes their results for no constants.
var mapping = map[string]bool{"map": true, "select": true, "reject": true, "selectattr": true, "rejectattr": true}

func (p *parser) dotted() string {
	text := p.name()
	for p.skip(".") {
		text += "." + p.name()
	}
	return text
}

func (p *parser) test(of expression) expression {
	pos := p.current().pos
	negated := p.skip("not")
	t := &application{pos: pos, of: of, name: p.dotted(), apply: (*machine).test}
	switch next := p.current(); {
	case next.is("("):
		t.arguments = p.arguments()
	case next.is("else") || next.is("or") || next.is("and"):
	case next.is("is"):
		fail("tests cannot be chained with is")
	case next.kind == name || next.kind == str || next.kind == number || next.is("[") || next.is("{"):
		t.arguments.positional = []expression{p.postfix(p.primary())}
	}
	if negated {
		return &not{pos, t}
	}
	return t
}
