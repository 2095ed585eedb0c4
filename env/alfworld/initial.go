package alfworld

import (
	"strings"

	"sparkd"
)

// maxEntities bounds each kind of entity of a problem. ALFRED's have below 200 of each.
const maxEntities = 1000

// kind is a type of alfred.pddl.
type kind string

const (
	agentKind      kind = "agent"
	locationKind   kind = "location"
	receptacleKind kind = "receptacle"
	objectKind     kind = "object"
	objectType     kind = "otype"
	receptacleType kind = "rtype"
)

// typeName turns "MugType" into "mug".
func typeName(word string) string { return strings.TrimSuffix(word, "type") }

// reader turns the PDDL of a problem into a Problem.
type reader struct {
	*Problem
	declared map[string]kind
	index    map[string]int // of the entities that some fact names
	facts    []expr
}

const problemField = "pddl_problem"

func badProblem(format string, args ...any) error {
	return sparkd.Invalid(problemField,
		"it must be an initial state of ALFWorld's domain; download or generate the game again", format, args...)
}

// readProblem reads an initial_state.pddl of the domain. It leaves out entities that no
// fact names: ALFWorld gives them no number, and nothing can be done with them.
func readProblem(text, domain string) (*Problem, error) {
	seen, err := sections(problemField, text, "problem", badProblem, (*expr).head)
	if err != nil {
		return nil, err
	}
	r := reader{Problem: &Problem{Fits: map[string]map[string]bool{}}, declared: map[string]kind{},
		index: map[string]int{}}
	for _, name := range []string{"problem", ":domain", ":objects", ":init", ":goal"} {
		if s, ok := seen[name]; !ok || len(s.list) < 2 {
			return nil, badProblem("it has no section (%s …)", name)
		}
	}
	if got := seen[":domain"].list[1].String(); got != domain {
		return nil, sparkd.Invalid(problemField, "sparkd plays the domain alfred of ALFWorld only",
			"the problem is of the domain %q, not of %q", got, domain)
	}
	if err := r.declare(seen[":objects"]); err != nil {
		return nil, err
	}
	if err := r.collect(seen[":init"]); err != nil {
		return nil, err
	}
	if err := r.enterAll(); err != nil {
		return nil, err
	}
	if len(seen[":goal"].list) != 2 {
		return nil, badProblem("the section (:goal …) must hold one condition")
	}
	r.Goal.Condition = seen[":goal"].list[1]
	return r.Problem, nil
}

// declare reads the section :objects.
func (r *reader) declare(section expr) error {
	words, ok := section.words(1)
	if !ok {
		return badProblem("a list inside (:objects …)")
	}
	for k, names := range typedNames(words) {
		switch k {
		case agentKind, locationKind, receptacleKind, objectKind, objectType, receptacleType:
		case "":
			return badProblem("(:objects …) ends with %q, which has no type", names[len(names)-1])
		default:
			first := append(names, "-")[0] // there may be a type without a name
			return badProblem("%q is of the type %q, which ALFWorld's domain does not have", first, k)
		}
		for _, name := range names {
			if _, twice := r.declared[name]; twice {
				return badProblem("%q is declared twice", name)
			}
			r.declared[name] = k
		}
	}
	if len(r.declared) == 0 {
		return badProblem("(:objects …) is empty")
	}
	return nil
}

// collect gathers the facts and the entities they name.
func (r *reader) collect(section expr) error {
	for _, fact := range section.list[1:] {
		names, ok := fact.words(1)
		switch fact.head() {
		case "":
			return badProblem("%s is no fact", &fact)
		case "not", "=":
			continue // ALFWorld keeps neither what is false nor distances
		}
		if !ok {
			return badProblem("a list inside the fact %s", &fact)
		}
		r.facts = append(r.facts, fact)
		for _, name := range names {
			if err := r.name(name, &fact); err != nil {
				return err
			}
		}
	}
	return nil
}

// name makes an entity of the problem of a name in a fact.
func (r *reader) name(name string, fact *expr) error {
	k, ok := r.declared[name]
	if !ok {
		return badProblem("the fact %s names %q, which (:objects …) does not declare", fact, name)
	}
	if _, known := r.index[name]; known {
		return nil
	}
	n := 0
	switch k {
	case agentKind:
		n, r.Agents = len(r.Agents), append(r.Agents, Agent{ID: name, Location: -1})
	case locationKind:
		n, r.Locations = len(r.Locations), append(r.Locations, name)
	case receptacleKind:
		n, r.Receptacles = len(r.Receptacles), append(r.Receptacles, Receptacle{ID: name, Location: -1})
	case objectKind:
		n, r.Objects = len(r.Objects), append(r.Objects, Object{ID: name})
	}
	if n >= maxEntities {
		return sparkd.Invalid(problemField, "ALFWorld's own games have below 200",
			"more than %d entities of the kind %s", maxEntities, k)
	}
	r.index[name] = n
	return nil
}

// enterAll enters the facts.
func (r *reader) enterAll() error {
	for i := range r.facts {
		fact := &r.facts[i]
		p, ok := predicates[fact.head()]
		if !ok {
			continue
		}
		args, _ := fact.words(1)
		if fact.head() == "objectatlocation" && len(args) == 2 && r.declared[args[0]] == receptacleKind {
			continue // changes nothing: a receptacle can be neither taken nor sliced
		}
		if len(args) != len(p.of) {
			return badProblem("the fact %s should name %d things", fact, len(p.of))
		}
		at := [2]int{}
		for k, name := range args {
			if got := r.declared[name]; got != p.of[k] {
				return badProblem("the fact %s: %q is of the type %s, not %s", fact, name, got, p.of[k])
			}
			at[k] = r.index[name]
		}
		if err := r.enter(fact, at[0], at[1]); err != nil {
			return err
		}
	}
	// Every agent can always look into its pockets, and ALFWorld names it then.
	for name, k := range r.declared {
		if _, named := r.index[name]; k == agentKind && !named {
			return badProblem("no fact says where the agent %q is", name)
		}
	}
	if len(r.Agents) == 0 {
		return badProblem("there is no agent")
	}
	if len(r.Agents) > maxAgents {
		return badProblem("%d agents; %d are possible", len(r.Agents), maxAgents)
	}
	return nil
}

// enter enters a fact about the a-th entity of its first kind and the b-th of its second.
func (r *reader) enter(fact *expr, a, b int) error {
	switch p := fact.head(); p {
	case "atlocation":
		return once(&r.Agents[a].Location, b, fact)
	case "receptacleatlocation":
		return once(&r.Receptacles[a].Location, b, fact)
	case "objectatlocation":
		r.Objects[a].At = append(r.Objects[a].At, b)
	case "openable":
		r.Receptacles[a].Openable = true
	case "opened":
		r.Receptacles[a].Opened = true
	case "inreceptacle":
		r.Objects[a].In = append(r.Objects[a].In, b)
	case "inreceptacleobject":
		r.Objects[a].Inside = append(r.Objects[a].Inside, b)
	case "receptacletype":
		return typed(&r.Receptacles[a].Type, fact)
	case "objecttype":
		return typed(&r.Objects[a].Type, fact)
	case "cancontain":
		rt, ot := typeName(fact.list[1].word), typeName(fact.list[2].word)
		if r.Fits[rt] == nil {
			r.Fits[rt] = map[string]bool{}
		}
		r.Fits[rt][ot] = true
	case "holds":
		r.Agents[a].Holds = append(r.Agents[a].Holds, b)
	case "holdsany":
		r.Agents[a].Busy = true
	default:
		r.Objects[a].Can |= abilities[p]
		r.Objects[a].Is |= conditions[p]
	}
	return nil
}

func once(at *int, b int, fact *expr) error {
	if *at >= 0 && *at != b {
		return badProblem("%s: %q is at another location already", fact, fact.list[1].word)
	}
	*at = b
	return nil
}

func typed(t *string, fact *expr) error {
	name := typeName(fact.list[2].word)
	if *t != "" && *t != name {
		return badProblem("%s: %q is of the type %q already", fact, fact.list[1].word, *t)
	}
	*t = name
	return nil
}
