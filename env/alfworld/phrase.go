package alfworld

import (
	"regexp"
	"slices"
	"strings"
)

// prose is a text that grows.
type prose []byte

func (p *prose) say(text string) { *p = append(*p, text...) }

// scene is what a phrase can speak about. What a phrase names is bound by the action that
// it belongs to; compile sees to that.
type scene struct {
	facts
	agent    int16
	location int16 // of the agent; unbound is any
	object   int16
	tool     int16 // the knife of a cut
	recept   int16
	items    []int16 // room for a list
}

const unbound = -1

// variable is a parameter of alfred.pddl's actions that a phrase may name.
type variable uint16

const (
	varA variable = 1 << iota
	varL
	varLStart
	varLEnd
	varO
	varR
	varCO
	varKO
)

// holes are the expressions that stand in texts, with the variable they need.
var holes = map[string]struct {
	needs variable
	say   phrase
}{
	"a": {varA, sayAgent}, "a.name": {varA, sayAgent},
	"o": {varO, sayObject}, "o.name": {varO, sayObject},
	"co": {varCO, sayObject}, "co.name": {varCO, sayObject},
	"ko": {varKO, sayTool}, "ko.name": {varKO, sayTool},
	"r": {varR, sayReceptacle}, "r.name": {varR, sayReceptacle}, "r.name or r.id": {varR, sayReceptacle},
	"lend": {varLEnd, sayLocation}, "lend.name": {varLEnd, sayLocation},
	"o.indefinite": {varO, sayArticle}, "r.indefinite": {varR, sayArticle},
	"o.indefinite + ' ' + o.name": {varO, sayAnObject}, "o2.indefinite + ' ' + o2.name": {varO, sayAnObject},
}

func sayAgent(p *prose, c *scene)      { p.say(c.agents[c.agent]) }
func sayObject(p *prose, c *scene)     { p.say(c.objects[c.object].name) }
func sayTool(p *prose, c *scene)       { p.say(c.objects[c.tool].name) }
func sayReceptacle(p *prose, c *scene) { p.say(c.receptacles[c.recept].name) }
func sayLocation(p *prose, c *scene)   { p.say(c.locations[c.location]) }
func sayArticle(p *prose, _ *scene)    { p.say("a") }
func sayAnObject(p *prose, c *scene)   { p.say("a "); sayObject(p, c) }
func saySentence(p *prose, c *scene)   { p.say(c.phrasing.sentence) }

// sentenceHole stands for the task's sentence in the rule "task".
const sentenceHole = "\x00"

// maxPhrase bounds how deep symbols stand for symbols, maxParts what all phrases of a
// grammar are made of; alfred.twl2 has below a thousand parts.
const (
	maxPhrase = 20
	maxParts  = 20_000
)

// compiler compiles the texts of one action.
type compiler struct {
	*grammar
	bound variable
	depth int
}

func (g *grammar) compile(text string, bound variable) (phrase, error) {
	return compiler{grammar: g, bound: bound}.text(text)
}

// special are the signs that TextWorld's textgen.ebnf keeps out of literals.
const special = `;|"<>[]#{}`

// literal returns text up to a special sign, as TextWorld reads it: without blanks at its start.
func literal(text string) string {
	text = strings.TrimLeft(text, " \t\r\n\v\f")
	if n := strings.IndexAny(text, special); n >= 0 {
		text = text[:n]
	}
	return text
}

// text compiles the right-hand side of a rule. Like TextWorld's parser it drops blanks at
// the start, tabs before every part, and everything from a sign on that it cannot read.
func (c compiler) text(text string) (phrase, error) {
	var parts []phrase
	text = strings.TrimLeft(text, " \t\r\n\v\f")
	for text != "" {
		if c.parts++; c.parts > maxParts {
			return nil, badGrammar("its texts are made of more than %d parts", maxParts)
		}
		var part phrase
		var err error
		n := 0
		switch text[0] {
		case '\t':
			text = text[1:]
			continue
		case '[', '{', '#':
			if n = closing(text); n == 0 {
				return join(parts), nil
			}
			part, err = c.symbol(text[:n])
		case ';', '|', '"', '<', '>', ']', '}':
			return join(parts), nil
		default:
			if n = strings.IndexAny(text, special); n < 0 {
				n = len(text)
			}
			part = sayLiteral(text[:n])
		}
		if err != nil {
			return nil, err
		}
		parts, text = append(parts, part), text[n:]
	}
	return join(parts), nil
}

// closing returns the length of the symbol at the start of text, 0 if it has no end.
func closing(text string) int {
	end := map[byte]string{'[': "]", '{': "}", '#': "#"}[text[0]]
	if n := strings.Index(text[1:], end); n >= 0 {
		return n + 2
	}
	return 0
}

func sayLiteral(text string) phrase {
	text = strings.ReplaceAll(text, `\n`, "\n")
	if before, after, ok := strings.Cut(text, sentenceHole); ok {
		return join([]phrase{sayLiteral(before), saySentence, sayLiteral(after)})
	}
	return func(p *prose, _ *scene) { p.say(text) }
}

func join(parts []phrase) phrase {
	if len(parts) == 1 {
		return parts[0]
	}
	return func(p *prose, c *scene) {
		for _, say := range parts {
			say(p, c)
		}
	}
}

// symbol compiles "[{…}]", "{…}" or "#…#".
func (c compiler) symbol(text string) (phrase, error) {
	inner := text[1 : len(text)-1]
	switch {
	case text[0] == '#':
		return c.rules(inner)
	case text[0] == '{':
		return c.hole(inner)
	case strings.HasPrefix(inner, "{") && strings.HasSuffix(inner, "}"):
		item, query, ok := strings.Cut(inner[1:len(inner)-1], "|")
		if ok {
			return c.list(strings.TrimSpace(item), oneBlank(query))
		}
	}
	return nil, badGrammar("sparkd cannot read %s", text)
}

func (c compiler) hole(expression string) (phrase, error) {
	h, ok := holes[strings.TrimSpace(expression)]
	if !ok || h.needs&c.bound == 0 {
		return nil, badGrammar("sparkd does not know what {%s} stands for here", expression)
	}
	return h.say, nil
}

// rules compiles a symbol: the first rule whose condition holds is written.
func (c compiler) rules(symbol string) (phrase, error) {
	type rule struct {
		holds func(c *scene) bool // nil: always
		say   phrase
	}
	if c.depth++; c.depth > maxPhrase {
		return nil, badGrammar("the symbol #%s# stands for itself", symbol)
	}
	rules := []rule{{holds: func(*scene) bool { return false }}}
	for _, p := range c.grammar.rules[symbol] {
		holds, err := c.condition(oneBlank(p.Condition))
		if err != nil {
			return nil, err
		}
		say, err := c.text(p.Text)
		if err != nil {
			return nil, err
		}
		if rules = append(rules, rule{holds, say}); holds == nil {
			break
		}
	}
	last := rules[len(rules)-1]
	if last.holds != nil {
		return nil, badGrammar("it has no rule for #%s# that always applies", symbol)
	}
	if rules = rules[1 : len(rules)-1]; len(rules) == 0 {
		return last.say, nil
	}
	return func(p *prose, c *scene) {
		for i := range rules {
			if rules[i].holds(c) {
				rules[i].say(p, c)
				return
			}
		}
		last.say(p, c)
	}, nil
}

// list compiles "[{item | query}]": "a, b, and c" of all that a query finds.
func (c compiler) list(item, query string) (phrase, error) {
	q, ok := queries[query]
	if !ok || q.needs&^c.bound != 0 || q.yields&c.bound != 0 && !q.given {
		return nil, badGrammar("sparkd does not know the list %q here", query)
	}
	var separators [3]phrase
	for i, symbol := range []string{"list_empty", "list_separator", "list_last_separator"} {
		var err error
		if separators[i], err = c.rules(symbol); err != nil {
			return nil, err
		}
	}
	inside := c
	inside.bound |= q.yields
	var say phrase
	var err error
	if strings.HasPrefix(item, "#") && strings.HasSuffix(item, "#") && len(item) > 2 {
		say, err = inside.rules(item[1 : len(item)-1])
	} else {
		say, err = inside.hole(item)
	}
	if err != nil {
		return nil, err
	}
	return func(p *prose, c *scene) {
		c.items = q.find(c, c.items[:0])
		if len(c.items) == 0 {
			separators[0](p, c)
		}
		one := *c
		for i, x := range c.items {
			switch {
			case i == 0:
			case i == len(c.items)-1:
				separators[2](p, c)
			default:
				separators[1](p, c)
			}
			if q.yields == varR {
				one.recept = x
			} else {
				one.object = x
			}
			say(p, &one)
		}
	}, nil
}

var atom = regexp.MustCompile(`^(\w+)\((\w+):(\w+)\)$`)

// condition compiles a condition: one of the queries, which must find something, or facts
// of one thing each, which must all hold. It returns nil for "".
func (c compiler) condition(text string) (func(*scene) bool, error) {
	if text == "" {
		return nil, nil
	}
	if q, ok := queries[text]; ok && q.needs&^c.bound == 0 {
		return func(c *scene) bool {
			c.items = q.find(c, c.items[:0])
			return len(c.items) > 0
		}, nil
	}
	var all []func(*scene) bool
	for part := range strings.SplitSeq(text, "&") {
		m := atom.FindStringSubmatch(strings.TrimSpace(part))
		holds := (func(*scene) bool)(nil)
		if m != nil {
			holds = c.fact(m[1], m[2]+":"+m[3])
		}
		if holds == nil {
			return nil, badGrammar("sparkd does not know the condition %q here", part)
		}
		all = append(all, holds)
	}
	return func(c *scene) bool {
		for _, holds := range all {
			if !holds(c) {
				return false
			}
		}
		return true
	}, nil
}

// subjects are what conditions can be about.
var subjects = map[string]struct {
	needs variable
	kind  kind
	of    func(c *scene) int16
}{
	"a:agent":      {varA, agentKind, func(c *scene) int16 { return c.agent }},
	"o:object":     {varO, objectKind, func(c *scene) int16 { return c.object }},
	"r:receptacle": {varR, receptacleKind, func(c *scene) int16 { return c.recept }},
}

// fact returns the test of a predicate of one thing, nil if there is none here.
func (c compiler) fact(name, of string) func(*scene) bool {
	subject := subjects[of]
	if subject.needs&c.bound == 0 {
		return nil
	}
	if name == "not_istoggled" && subject.kind == objectKind {
		// True only where an action has taken the fact back, which none does.
		return func(*scene) bool { return false }
	}
	if p, ok := predicates[name]; ok && slices.Equal(p.of, []kind{subject.kind}) {
		return func(c *scene) bool { return p.holds(&c.facts, subject.of(c), -1) }
	}
	return nil
}

// oneBlank writes a condition with single blanks, as the tables here have it.
func oneBlank(text string) string { return strings.Join(strings.Fields(text), " ") }
