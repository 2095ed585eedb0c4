package alfworld

import (
	"maps"
	"slices"
	"strings"

	"sparkd"
)

// test is a PDDL condition made ready: whether it holds.
type test func(f *facts) bool

// facts are what a condition is tested on.
type facts struct {
	*world
	s state
	// relaxed takes every "not" of a fact that actions change as true: the question is then
	// what could ever hold, see reach.
	relaxed bool
	of      [maxVariables]int16 // what the variables stand for
}

// maxVariables bounds the quantified variables of a goal; ALFWorld's have up to six.
const maxVariables = 12

const goalField = problemField + " (:goal)"

func badGoal(format string, args ...any) error {
	return sparkd.Invalid(goalField,
		"want a goal as in ALFWorld's goal_library.py: and, or, not, exists, forall over the facts of "+
			"alfred.pddl", format, args...)
}

// predicate is a predicate of alfred.pddl that a rule, a text or a goal reads. A problem may state others, which
// change nothing.
type predicate struct {
	of    []kind // what it is about
	fixed bool   // no action changes it
	holds func(f *facts, a, b int16) bool
}

// predicates are all of them: these, and those of abilities and conditions.
var predicates = map[string]predicate{
	"objecttype": {[]kind{objectKind, objectType}, true,
		func(f *facts, o, t int16) bool { return f.objects[o].kind == t }},
	"receptacletype": {[]kind{receptacleKind, receptacleType}, true,
		func(f *facts, r, t int16) bool { return f.receptacles[r].kind == t }},
	"receptacleatlocation": {[]kind{receptacleKind, locationKind}, true,
		func(f *facts, r, at int16) bool { return f.receptacles[r].location == at }},
	"openable": {[]kind{receptacleKind}, true, func(f *facts, r, _ int16) bool { return f.receptacles[r].openable }},
	"cancontain": {[]kind{receptacleType, objectType}, true,
		func(f *facts, r, o int16) bool { return f.canContain(r, o) }},
	"inreceptacleobject": {[]kind{objectKind, objectKind}, true,
		func(f *facts, o, box int16) bool { return slices.Contains(f.objects[box].holds, o) }},
	"atlocation": {[]kind{agentKind, locationKind}, false,
		func(f *facts, a, at int16) bool { return f.at(f.s, a) == at || f.relaxed && f.canGo(f.s, a, at) }},
	"opened": {[]kind{receptacleKind}, false, func(f *facts, r, _ int16) bool { return f.opened(f.s).has(r) }},
	"inreceptacle": {[]kind{objectKind, receptacleKind}, false,
		func(f *facts, o, r int16) bool { return f.in(f.s, r).has(o) }},
	"objectatlocation": {[]kind{objectKind, locationKind}, false,
		func(f *facts, o, at int16) bool { return f.near(f.s, at).has(o) }},
	"holds": {[]kind{agentKind, objectKind}, false,
		func(f *facts, a, o int16) bool { return f.held(f.s, a).has(o) }},
	"holdsany": {[]kind{agentKind}, false, func(f *facts, a, _ int16) bool { return f.busy(f.s, a) }},
}

// abilities and conditions name the facts of one object that are kept as bits.
var (
	abilities = map[string]Affordance{
		"pickupable": Pickupable, "toggleable": Toggleable, "cleanable": Cleanable, "heatable": Heatable,
		"coolable": Coolable, "sliceable": Sliceable, "isreceptacleobject": Container,
	}
	conditions = map[string]Change{
		"isclean": Clean, "ishot": Hot, "iscool": Cool, "istoggled": Toggled, "issliced": Sliced, "ison": On,
	}
)

func init() {
	for name, can := range abilities {
		predicates[name] = predicate{[]kind{objectKind}, true,
			func(f *facts, o, _ int16) bool { return f.objects[o].can&can != 0 }}
	}
	for name, is := range conditions {
		predicates[name] = predicate{[]kind{objectKind}, false,
			func(f *facts, o, _ int16) bool { return f.made(f.s, is).has(o) }}
	}
}

// builder makes tests of the conditions of a world.
type builder struct {
	*world
	entities map[string]entity
	scope    map[string]slot
	used     int            // slots
	settled  map[*expr]bool // facts that hold for all that the variables range over
	choices  int            // of the variables in scope, at most
}

// maxChoices bounds what a goal may have to try, so that testing it takes no time worth
// mentioning; ALFWorld's have below 10,000.
const maxChoices = 1_000_000

// slot is a variable: where it stands in facts.of, and what it ranges over.
type slot struct {
	at   int
	kind kind
}

// build makes the test of e, or of its negation. Like fast-downward it moves "not" inwards.
func (b *builder) build(e *expr, negated bool) (test, error) {
	switch op := e.head(); op {
	case "and", "or":
		return b.junction(e.list[1:], (op == "or") != negated, negated)
	case "not":
		if len(e.list) != 2 {
			return nil, badGoal("%s: not takes one condition", e)
		}
		return b.build(&e.list[1], !negated)
	case "exists", "forall":
		return b.quantifier(e, (op == "exists") != negated, negated)
	default:
		return b.fact(e, negated)
	}
}

// junction is true as soon as one part is, if some, or else false as soon as one is not.
func (b *builder) junction(parts []expr, some, negated bool) (test, error) {
	var tests []test
	for i := range parts {
		if b.settled[&parts[i]] {
			continue
		}
		t, err := b.build(&parts[i], negated)
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	return func(f *facts) bool {
		for _, t := range tests {
			if t(f) == some {
				return some
			}
		}
		return !some
	}, nil
}

// quantifier tries what each variable can stand for; fixed facts that must hold narrow that down beforehand.
func (b *builder) quantifier(e *expr, exists, negated bool) (test, error) {
	if len(e.list) != 3 || len(e.list[1].list) == 0 {
		return nil, badGoal("%s: want variables and one condition", e)
	}
	inner := *b
	inner.scope = maps.Clone(b.scope)
	slots, err := inner.declare(&e.list[1])
	if err != nil {
		return nil, err
	}
	ranges := make([][]int16, len(slots))
	for i, v := range slots {
		if ranges[i] = inner.all(v.kind); exists && !negated {
			if ranges[i], err = inner.narrow(ranges[i], v, &e.list[2]); err != nil {
				return nil, err
			}
		}
		if inner.choices *= max(1, len(ranges[i])); inner.choices > maxChoices {
			return nil, badGoal("its variables can stand for more than %d combinations of things", maxChoices)
		}
	}
	t, err := inner.build(&e.list[2], negated)
	if err != nil {
		return nil, err
	}
	for i, v := range slices.Backward(slots) {
		among := ranges[i]
		next := t
		t = func(f *facts) bool {
			for _, x := range among {
				f.of[v.at] = x
				if next(f) == exists {
					return exists
				}
			}
			return !exists
		}
	}
	return t, nil
}

// declare reads typed variables: "?o1 ?o2 - object ?r - receptacle".
func (b *builder) declare(list *expr) (slots []slot, err error) {
	words, ok := list.words(0)
	if !ok {
		return nil, badGoal("%s: a variable without a type", list)
	}
	for k, names := range typedNames(words) {
		for _, name := range names {
			if !strings.HasPrefix(name, "?") || b.used == maxVariables {
				return nil, badGoal("%s: want at most %d variables with their types", list, maxVariables)
			}
			b.scope[name] = slot{at: b.used, kind: k}
			slots = append(slots, b.scope[name])
			b.used++
		}
		switch k {
		case agentKind, locationKind, receptacleKind, objectKind:
		case "":
			return nil, badGoal("%s: a variable without a type", list)
		default:
			return nil, badGoal("%s: a variable of the type %q", list, k)
		}
	}
	return slots, nil
}

// all lists the entities of a kind.
func (b *builder) all(k kind) []int16 {
	n := map[kind]int{agentKind: len(b.agents), locationKind: len(b.locations), receptacleKind: len(b.receptacles),
		objectKind: len(b.objects)}[k]
	list := make([]int16, n)
	for i := range list {
		list[i] = int16(i)
	}
	return list
}

// narrow keeps what satisfies the fixed facts of the variable alone that body demands.
func (b *builder) narrow(among []int16, s slot, body *expr) ([]int16, error) {
	f := facts{world: b.world, s: b.first}
	for _, e := range demanded(body, nil) {
		p := predicates[e.head()]
		if args, ok := e.words(1); !ok || !p.fixed || len(args) == 0 || b.scope[args[0]] != s ||
			len(args) == 2 && strings.HasPrefix(args[1], "?") {
			continue
		}
		t, err := b.fact(e, false)
		if err != nil {
			return nil, err
		}
		b.settled[e] = true
		among = slices.DeleteFunc(among, func(x int16) bool {
			f.of[s.at] = x
			return !t(&f)
		})
	}
	return among, nil
}

// demanded appends the facts without which e cannot hold.
func demanded(e *expr, to []*expr) []*expr {
	switch e.head() {
	case "and":
		for i := range e.list[1:] {
			to = demanded(&e.list[i+1], to)
		}
	case "exists":
		to = demanded(&e.list[len(e.list)-1], to)
	case "or", "not", "forall", "":
	default:
		to = append(to, e)
	}
	return to
}

// fact makes the test of a fact, "(inReceptacle ?o ?r)" or "(= ?a ?b)".
func (b *builder) fact(e *expr, negated bool) (test, error) {
	args, ok := e.words(1)
	p, known := predicates[e.head()]
	if e.head() == "=" && ok && len(args) == 2 {
		var s slot
		s, known = b.scope[args[0]]
		p = predicate{[]kind{s.kind, s.kind}, true, func(_ *facts, x, y int16) bool { return x == y }}
	}
	if !ok || !known || len(args) != len(p.of) {
		return nil, badGoal("sparkd cannot read %s", e)
	}
	var terms [2]func(f *facts) int16
	terms[1] = func(*facts) int16 { return -1 }
	for i, name := range args {
		var err error
		if terms[i], err = b.term(name, p.of[i], e); err != nil {
			return nil, err
		}
	}
	changes := !p.fixed
	return func(f *facts) bool {
		if negated && changes && f.relaxed {
			return true
		}
		return p.holds(f, terms[0](f), terms[1](f)) != negated
	}, nil
}

// term reads a variable or a name.
func (b *builder) term(name string, want kind, e *expr) (func(*facts) int16, error) {
	if strings.HasPrefix(name, "?") {
		s, ok := b.scope[name]
		if !ok || s.kind != want {
			return nil, badGoal("%s: %s is no variable of the type %s", e, name, want)
		}
		return func(f *facts) int16 { return f.of[s.at] }, nil
	}
	x := int16(-1)
	switch want {
	case objectType:
		x = kindIndex(b.types.object, name)
	case receptacleType:
		x = kindIndex(b.types.receptacle, name)
	default:
		if found, ok := b.entities[name]; ok && found.kind == want {
			x = found.index
		}
	}
	if x < 0 {
		return nil, sparkd.Invalid(goalField, "nothing can reach this goal: generate the game again, or leave it out",
			"%s: the problem has no %s %q", e, map[kind]string{objectType: "object of the type",
				receptacleType: "receptacle of the type"}[want], name)
	}
	return func(*facts) int16 { return x }, nil
}

func kindIndex(kinds []string, name string) int16 {
	return int16(slices.IndexFunc(kinds, func(k string) bool { return strings.EqualFold(k, typeName(name)) }))
}
