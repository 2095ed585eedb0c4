package alfworld

import (
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

// predicate reads a fact of the entities a and b.
type predicate struct {
	fixed bool // no action changes it
	holds func(f *facts, a, b int16) bool
}

// predicates are the facts that goals may name, beside abilities and conditions.
var predicates = map[string]predicate{
	"objecttype":           {true, func(f *facts, o, t int16) bool { return f.objects[o].kind == t }},
	"receptacletype":       {true, func(f *facts, r, t int16) bool { return f.receptacles[r].kind == t }},
	"receptacleatlocation": {true, func(f *facts, r, at int16) bool { return f.receptacles[r].location == at }},
	"openable":             {true, func(f *facts, r, _ int16) bool { return f.receptacles[r].openable }},
	"cancontain": {true, func(f *facts, r, o int16) bool {
		return r >= 0 && o >= 0 &&
			f.fits[int(r)*len(f.types.object)+int(o)]
	}},
	"inreceptacleobject": {true, func(f *facts, o, box int16) bool { return slices.Contains(f.objects[box].holds, o) }},
	"atlocation": {false, func(f *facts, a, at int16) bool {
		return f.at(f.s, a) == at ||
			f.relaxed && f.canGo(f.s, a, at)
	}},
	"opened":           {false, func(f *facts, r, _ int16) bool { return f.opened(f.s).has(r) }},
	"inreceptacle":     {false, func(f *facts, o, r int16) bool { return f.in(f.s, r).has(o) }},
	"objectatlocation": {false, func(f *facts, o, at int16) bool { return f.near(f.s, at).has(o) }},
	"holds":            {false, func(f *facts, a, o int16) bool { return f.held(f.s, a).has(o) }},
	"holdsany":         {false, func(f *facts, a, _ int16) bool { return f.busy(f.s, a) }},
}

func findPredicate(name string) (predicate, bool) {
	if can, ok := abilities[name]; ok {
		return predicate{true, func(f *facts, o, _ int16) bool { return f.objects[o].can&can != 0 }}, true
	}
	if is, ok := conditions[name]; ok {
		return predicate{false, func(f *facts, o, _ int16) bool { return f.made(f.s, is).has(o) }}, true
	}
	p, ok := predicates[name]
	return p, ok
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
	inner := builder{b.world, b.entities, map[string]slot{}, b.used, b.settled, b.choices}
	for name, s := range b.scope {
		inner.scope[name] = s
	}
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
func (b *builder) declare(list *expr) ([]slot, error) {
	words, ok := list.words(0)
	var slots []slot
	waiting := 0
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "-" && i+1 < len(words):
			k := kind(words[i+1])
			if k != agentKind && k != locationKind && k != receptacleKind && k != objectKind {
				return nil, badGoal("%s: a variable of the type %q", list, k)
			}
			for n := len(slots) - waiting; n < len(slots); n++ {
				slots[n].kind = k
			}
			waiting = 0
			i++
		case strings.HasPrefix(words[i], "?") && b.used < maxVariables:
			slots = append(slots, slot{at: b.used, kind: objectKind})
			b.scope[words[i]] = slots[len(slots)-1]
			waiting++
			b.used++
		default:
			return nil, badGoal("%s: want at most %d variables with their types", list, maxVariables)
		}
	}
	if !ok || waiting > 0 {
		return nil, badGoal("%s: a variable without a type", list)
	}
	n := 0
	for i := range words { // the scope was filled before the types were known
		if strings.HasPrefix(words[i], "?") {
			b.scope[words[i]] = slots[n]
			n++
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
		p, _ := findPredicate(e.head())
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
	p, known := findPredicate(e.head())
	want := signatures[e.head()]
	if e.head() == "=" && ok && len(args) == 2 {
		s, isVariable := b.scope[args[0]]
		if isVariable {
			want, known = []kind{s.kind, s.kind}, true
			p = predicate{true, func(_ *facts, x, y int16) bool { return x == y }}
		}
	}
	if !ok || !known || len(args) != len(want) {
		return nil, badGoal("sparkd cannot read %s", e)
	}
	var terms [2]func(f *facts) int16
	terms[1] = func(*facts) int16 { return -1 }
	for i, name := range args {
		var err error
		if terms[i], err = b.term(name, want[i], e); err != nil {
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
