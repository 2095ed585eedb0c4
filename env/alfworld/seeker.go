package alfworld

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Seeker plays a game as somebody does who knows the rules, but of the house only what has been seen: it looks for what
// it needs among the places that can hold it, and goes on as [Expert] does once it knows where that is. It also gives
// the reasons for actions, its own or others', from the same knowledge. It knows the games that Expert knows.
type Seeker struct {
	env  *Env
	rng  *rand.Rand
	seen []bool // receptacles that have been looked into
	last int16  // the one searched last, -1: none
	at   int16  // the one gone to last, -1: none
}

// Reason says why an action is taken.
type Reason struct {
	// Open says that the place of what is needed is unknown, so that another action might
	// do as well; Text names candidates.
	Open bool
	Text string
}

// NewSeeker returns a player of the game that e is at the start of. It draws from rng where
// several places are as good. The caller tells it of each command before it steps e.
func NewSeeker(e *Env, rng *rand.Rand) (*Seeker, error) {
	if err := e.plannable(); err != nil {
		return nil, err
	}
	return &Seeker{env: e, rng: rng, seen: make([]bool, len(e.world.receptacles)), last: -1, at: -1}, nil
}

// Tell takes note of what the answer to a command will show. Of several receptacles at one
// place it shows the one that the command names.
func (s *Seeker) Tell(command string) {
	i, ok := slices.BinarySearch(s.env.menu.commands, command)
	if !ok {
		return
	}
	switch a := s.env.menu.actions[i]; a.verb {
	case doGoTo:
		s.at = a.receptacle
		s.seen[s.at] = s.seen[s.at] || s.env.world.reachable(s.env.state, s.at)
	case doOpen, doExamineReceptacle:
		s.seen[a.receptacle] = s.seen[a.receptacle] || a.verb == doOpen ||
			s.env.world.reachable(s.env.state, a.receptacle)
	}
}

// Next returns what to do; "look" where nothing is left to be searched.
func (s *Seeker) Next() string {
	p := planner{env: s.env.fork(), seen: s.seen}
	p.advance()
	if len(p.plan) > 0 {
		return p.plan[0]
	}
	if r := s.here(); r >= 0 {
		look := doOpen
		if s.env.world.reachable(s.env.state, r) {
			look = doExamineReceptacle
		}
		return s.env.world.command(action{look, 0, -1, r, -1})
	}
	if r := s.choose(); r >= 0 {
		return s.env.world.command(action{doGoTo, 0, -1, r, -1})
	}
	return s.env.world.command(action{doLook, 0, -1, -1, -1})
}

// here returns a receptacle at hand that is worth looking into, -1 if there is none.
func (s *Seeker) here() int16 {
	w := s.env.world
	for _, r := range s.places() {
		if w.receptacles[r].location == w.at(s.env.state, 0) {
			return r
		}
	}
	return -1
}

// stay is how often the search goes on in the kind of receptacle where it was.
const stay = 0.5

// choose draws the receptacle to search next: the next one of the kind searched last, or
// one of the first few other kinds.
func (s *Seeker) choose() int16 {
	places := s.candidates()
	if len(places) == 0 {
		return -1
	}
	if i := slices.IndexFunc(places, s.sameKind); i >= 0 && s.rng.Float64() < stay {
		return places[i]
	}
	if other := slices.DeleteFunc(slices.Clone(places), s.sameKind); len(other) > 0 {
		places = other
	}
	return places[s.rng.IntN(min(named, len(places)))]
}

// sameKind reports whether r is of the kind that was searched last.
func (s *Seeker) sameKind(r int16) bool {
	w := s.env.world
	return s.last >= 0 && w.receptacles[r].kind == w.receptacles[s.last].kind
}

// candidates returns the first place of each kind that is worth a search.
func (s *Seeker) candidates() []int16 {
	var first []int16
	for _, r := range s.places() {
		kind := s.env.world.receptacles[r].kind
		if !slices.ContainsFunc(first, func(o int16) bool { return s.env.world.receptacles[o].kind == kind }) {
			first = append(first, r)
		}
	}
	return first
}

// places returns the unseen receptacles that can hold what is sought, in the order in which
// the game lists them. Where the goal wants it is the last place to look.
func (s *Seeker) places() []int16 {
	w, o := s.env.world, s.sought()
	if o < 0 {
		return nil
	}
	var likely, other []int16
	for r := range int16(len(w.receptacles)) {
		switch {
		case s.seen[r] || w.receptacles[r].location < 0:
		case w.receptacles[r].kind == w.target.receptacle || !w.mayHold(r, o):
			other = append(other, r)
		default:
			likely = append(likely, r)
		}
	}
	if len(likely) == 0 {
		return other
	}
	return likely
}

// mayHold reports whether objects of a type are found in receptacle r. Lamps stand where
// ALFWorld's houses have them: no rule says it.
func (w *world) mayHold(r, kind int16) bool {
	if kind == w.target.lamp {
		return lampStands[w.types.receptacle[w.receptacles[r].kind]]
	}
	return w.holdsKind(r, kind)
}

// sought returns the type of object whose place must be found, -1 for none.
func (s *Seeker) sought() int16 {
	w, goal := s.env.world, &s.env.world.target
	p := planner{env: s.env, seen: s.seen}
	kind := goal.object
	if o := p.hand(); o >= 0 && w.objects[o].kind == goal.object {
		if kind = goal.lamp; kind < 0 {
			return -1
		}
	}
	if p.find(func(o int16) bool { return w.objects[o].kind == kind && !p.placed(o) }) >= 0 {
		return -1
	}
	return kind
}

// Reason says why the command is given now.
func (s *Seeker) Reason(command string) Reason {
	i, ok := slices.BinarySearch(s.env.menu.commands, command)
	if !ok {
		return Reason{Text: "something else"}
	}
	w, a := s.env.world, s.env.menu.actions[i]
	switch a.verb {
	case doGoTo:
		return s.reasonToGo(a.receptacle)
	case doOpen, doExamineReceptacle:
		if a.verb == doExamineReceptacle || a.receptacle != s.at {
			return Reason{Text: w.receptacles[a.receptacle].name + " is here too"}
		}
		return Reason{Text: w.receptacles[a.receptacle].name + " is closed"}
	case doTake:
		s.last = -1 // another search begins elsewhere
		return Reason{Text: "here is " + w.objects[a.object].name}
	case doUse:
		return Reason{Text: "here is " + w.objects[a.object].name}
	case doMove:
		if w.objects[a.object].kind != w.target.object {
			return Reason{Text: w.objects[a.object].name + " is not needed"}
		}
		return Reason{Text: w.objects[a.object].name + " belongs here"}
	case doClean, doHeat, doCool:
		return Reason{Text: fmt.Sprintf("here I can %s %s", treatments[a.verb].word, w.objects[a.object].name)}
	}
	return Reason{Text: "nothing else is left"}
}

func (s *Seeker) reasonToGo(r int16) Reason {
	w := s.env.world
	if kind := s.sought(); kind >= 0 && !s.seen[r] {
		reason := s.reasonToSearch(r, strings.ToLower(w.types.object[kind]))
		s.last = r
		return reason
	}
	p := planner{env: s.env, seen: s.seen}
	place := &w.receptacles[r]
	held := p.hand()
	switch {
	case held >= 0 && place.appliance != verbs && treatments[place.appliance].makes&w.target.needs != 0 &&
		!p.placed(held) && !w.made(s.env.state, w.target.needs).has(held):
		what := treatments[place.appliance].word
		return Reason{Text: fmt.Sprintf("%s %s in %s", what, w.objects[held].name, place.name)}
	case held >= 0 && w.objects[held].kind != w.target.object:
		return Reason{Text: fmt.Sprintf("put %s away at %s", w.objects[held].name, place.name)}
	case held >= 0 && w.target.lamp < 0:
		return Reason{Text: fmt.Sprintf("bring %s to %s", w.objects[held].name, place.name)}
	}
	wanted := w.target.object
	if held >= 0 {
		wanted = w.target.lamp
	}
	for _, o := range w.in(s.env.state, r).list(nil) {
		if s.seen[r] && w.objects[o].kind == wanted {
			return Reason{Text: fmt.Sprintf("%s is at %s", w.objects[o].name, place.name)}
		}
	}
	return Reason{Text: "try " + place.name}
}

// named is how many candidates a reason names.
const named = 3

// reasonToSearch names receptacle r among the candidates, unless the search only goes on with the next one of its kind.
func (s *Seeker) reasonToSearch(r int16, what string) Reason {
	w := s.env.world
	if s.sameKind(r) {
		return Reason{Text: fmt.Sprintf("no %s here, next %s", what, w.receptacles[r].name)}
	}
	places := slices.DeleteFunc(s.candidates(), s.sameKind)
	if i := slices.Index(places, r); i < 0 || i >= named {
		places = slices.DeleteFunc(places, func(o int16) bool { return o == r })
		places = slices.Insert(places, min(named-1, len(places)), r)
	}
	places = places[:min(named, len(places))]
	names := make([]string, len(places))
	for i, p := range places {
		names[i] = w.receptacles[p].name
	}
	return Reason{Open: len(places) > 1, Text: fmt.Sprintf("%s: %s?", what, strings.Join(names, ", "))}
}
