package alfworld

import (
	"slices"

	"sparkd"
)

// Expert plans from the current state of e to the goal, knowing where everything is, and
// returns the commands. It leaves e as it is. It knows ALFWorld's six task types and one
// agent. From their start, games of generated houses take 3 to 11 commands.
func Expert(e *Env) ([]string, error) {
	if err := e.plannable(); err != nil {
		return nil, err
	}
	p := planner{env: e.fork()}
	for !p.env.done {
		if !p.advance() {
			return nil, sparkd.Errorf(sparkd.CodeEnv, "the expert finds no way to the goal %q",
				e.world.phrasing.sentence)
		}
	}
	return p.plan, nil
}

// plannable says why the goal of e cannot be planned for.
func (e *Env) plannable() error {
	switch {
	case e.world == nil:
		return errNotStarted
	case !e.world.target.known:
		return sparkd.Errorf(sparkd.CodeEnv, "the expert does not know goals like %q", e.world.phrasing.sentence)
	}
	return nil
}

// planner walks a copy of the game.
type planner struct {
	env  *Env
	plan []string
	seen []bool // receptacles whose content is known; nil: all
}

// knows reports whether what lies in r is known.
func (p *planner) knows(r int16) bool { return p.seen == nil || p.seen[r] }

// hand returns what the agent holds, -1 if nothing.
func (p *planner) hand() int16 {
	held := int16(-1)
	p.env.world.eachHeld(p.env.state, 0, func(o int16) { held = o })
	return held
}

// where returns the receptacle that holds o and can be reached, -1 if none does.
func (p *planner) where(o int16) int16 {
	w := p.env.world
	for r := range int16(len(w.receptacles)) {
		if w.receptacles[r].location >= 0 && p.knows(r) && w.in(p.env.state, r).has(o) {
			return r
		}
	}
	return -1
}

// advance brings one more object to where the goal wants it, or drops what is in the
// way. It reports false when it cannot.
func (p *planner) advance() bool {
	w, goal := p.env.world, &p.env.world.target
	if o := p.hand(); o >= 0 && w.objects[o].kind != goal.object {
		return p.drop()
	}
	into := int16(-1)
	if goal.lamp < 0 {
		if into = p.destination(); into < 0 {
			return false
		}
	}
	if p.hand() < 0 {
		o := p.find(func(o int16) bool {
			can := Pickupable | goal.able
			return w.objects[o].kind == goal.object && w.objects[o].can&can == can &&
				!(p.where(o) == into && p.meets(o))
		})
		if o < 0 || !p.fetch(o) {
			return false
		}
	}
	if goal.lamp >= 0 {
		return p.light()
	}
	return p.treat(p.hand()) && p.move(into)
}

// meets reports whether object o is one that the goal wants in its receptacle.
func (p *planner) meets(o int16) bool {
	goal, obj := &p.env.world.target, &p.env.world.objects[o]
	return obj.kind == goal.object && obj.can&goal.able == goal.able &&
		(goal.needs == 0 || p.env.world.made(p.env.state, goal.needs).has(o))
}

// placed reports whether object o is already where the goal wants it.
func (p *planner) placed(o int16) bool {
	into := p.destination()
	return into >= 0 && p.where(o) == into && p.meets(o)
}

// light takes the object in hand to a lamp and switches it on.
func (p *planner) light() bool {
	w := p.env.world
	lamp := p.find(func(o int16) bool {
		return w.objects[o].kind == w.target.lamp && w.objects[o].can&Toggleable != 0
	})
	if lamp < 0 || !p.goTo(p.where(lamp)) {
		return false
	}
	return p.env.done || p.do(action{doUse, 0, lamp, p.where(lamp), -1})
}

// treat cleans, heats or cools the object in hand if the goal wants it so.
func (p *planner) treat(o int16) bool {
	w := p.env.world
	needs := w.target.needs
	if needs == 0 || w.made(p.env.state, needs).has(o) {
		return true
	}
	r := int16(slices.IndexFunc(w.receptacles, func(r receptacle) bool {
		return r.location >= 0 && r.appliance != verbs && treatments[r.appliance].makes == needs
	}))
	return r >= 0 && p.goTo(r) && p.do(action{w.receptacles[r].appliance, 0, o, r, -1})
}

// destination returns the goal's receptacle that holds most of what is wanted already; between equals one that is open.
func (p *planner) destination() int16 {
	w, s := p.env.world, p.env.state
	best, bestScore := int16(-1), -1
	for r := range int16(len(w.receptacles)) {
		if w.receptacles[r].kind != w.target.receptacle || w.receptacles[r].location < 0 {
			continue
		}
		score := 0
		for _, o := range w.in(s, r).list(nil) {
			if p.knows(r) && p.meets(o) {
				score += 2
			}
		}
		if w.reachable(s, r) {
			score++
		}
		if score > bestScore {
			best, bestScore = r, score
		}
	}
	return best
}

// find returns an object that will do, if possible one that lies in the open.
func (p *planner) find(will func(o int16) bool) int16 {
	w, s := p.env.world, p.env.state
	found := int16(-1)
	for o := range int16(len(w.objects)) {
		r := p.where(o)
		if r < 0 || !will(o) {
			continue
		}
		if w.reachable(s, r) {
			return o
		}
		found = o
	}
	return found
}

// drop puts what is in hand into some receptacle that can hold it.
func (p *planner) drop() bool {
	w, s := p.env.world, p.env.state
	to := int16(-1)
	for r := range int16(len(w.receptacles)) {
		if w.receptacles[r].location >= 0 && w.holds(r, p.hand()) &&
			(to < 0 || w.reachable(s, r) && !w.reachable(s, to)) {
			to = r
		}
	}
	return to >= 0 && p.move(to)
}

func (p *planner) fetch(o int16) bool {
	r := p.where(o)
	return p.goTo(r) && p.open(r) && p.do(action{doTake, 0, o, r, -1})
}

func (p *planner) move(r int16) bool {
	return p.goTo(r) && p.open(r) && p.do(action{doMove, 0, p.hand(), r, -1})
}

func (p *planner) goTo(r int16) bool {
	w := p.env.world
	return w.receptacles[r].location == w.at(p.env.state, 0) || p.do(action{doGoTo, 0, -1, r, -1})
}

func (p *planner) open(r int16) bool {
	return p.env.world.reachable(p.env.state, r) || p.do(action{doOpen, 0, -1, r, -1})
}

// do carries out an applicable action.
func (p *planner) do(a action) bool {
	e := p.env
	i := slices.Index(e.menu.actions, a)
	if i < 0 || e.done {
		return false
	}
	p.plan = append(p.plan, e.menu.commands[i])
	e.act(i)
	return true
}
