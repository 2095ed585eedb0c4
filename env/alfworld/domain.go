package alfworld

import (
	_ "embed"
	"strings"
	"sync"

	"sparkd"
)

// domainText is alfred.pddl of alfworld 0.4.2 (MIT licence, LICENSE.alfworld). rules.go carries out what it says.
//
//go:embed data/alfred.pddl
var domainText string

const domainField = "pddl_domain"

// domain is what a game's rules may differ in.
type domain struct {
	name  string // "alfred"
	verbs map[string]bool
}

var ownDomain = sync.OnceValues(func() (map[string]expr, error) { return domainSections(domainText) })

// domainSections reads a domain: its types, its actions by their names, and its name.
func domainSections(text string) (map[string]expr, error) {
	return sections(domainField, text, "domain", anotherDomain, func(s *expr) string {
		if s.head() == ":action" && len(s.list) > 1 {
			return "action " + s.list[1].word
		}
		return s.head()
	})
}

// sections reads a definition and names its sections.
func sections(field, text, what string, bad func(string, ...any) error, name func(*expr) string) (map[string]expr,
	error) {
	e, err := parseLisp(field, text)
	if err != nil {
		return nil, err
	}
	if e.head() != "define" {
		return nil, bad("it does not start with (define (%s …", what)
	}
	parts := map[string]expr{}
	for _, s := range e.list[1:] {
		if _, twice := parts[name(&s)]; twice {
			return nil, bad("two sections %s", name(&s))
		}
		parts[name(&s)] = s
	}
	return parts, nil
}

func anotherDomain(format string, args ...any) error {
	return sparkd.Invalid(domainField,
		"sparkd plays the rules of alfworld 0.2 to 0.4 (alfred.pddl); run alfworld-generate with that domain, or "+
			"drive the game through exec", format, args...)
}

// readDomain checks that a game's domain is ALFWorld's. Games up to 2.1.1 lack the action
// help; nothing else has changed since 2020. What no rule reads may differ: requirements,
// predicates and functions that are declared, comments, the order.
func readDomain(text string) (domain, error) {
	own, err := ownDomain()
	if err != nil {
		return domain{}, err
	}
	parts, err := domainSections(text)
	if err != nil {
		return domain{}, err
	}
	d := domain{verbs: map[string]bool{}}
	for name, part := range parts {
		reference, known := own[name]
		verb, isAction := strings.CutPrefix(name, "action ")
		switch {
		case name == "domain" && len(part.list) == 2:
			d.name = part.list[1].word
		case name == ":requirements" || name == ":predicates" || name == ":functions":
		case !known:
			return domain{}, anotherDomain("another domain: it has %s, ALFWorld's has not", name)
		case !part.equal(reference):
			return domain{}, anotherDomain("another domain: %s is not as in ALFWorld's", name)
		case isAction:
			d.verbs[verb] = true
		}
	}
	for name := range own {
		if _, ok := parts[name]; !ok && name != "action help" && !(name == ":requirements" || name == ":functions") {
			return domain{}, anotherDomain("another domain: it lacks %s", name)
		}
	}
	return d, nil
}
