package alfworld

import "strings"

// verb is an action schema of alfred.pddl.
type verb uint8

const (
	doClean verb = iota
	doClose
	doCool
	doExamineReceptacle
	doExamineObject
	doGoTo
	doHeat
	doHelp
	doInventory
	doLook
	doMove
	doOpen
	doSlice
	doTake
	doUse
	verbs
)

// schemas are the names of the actions, and the parameters that texts about them may name.
var schemas = [verbs]struct {
	action string
	binds  variable
}{
	doClean:             {"cleanobject", varA | varL | varR | varO},
	doClose:             {"closeobject", varA | varL | varR},
	doCool:              {"coolobject", varA | varL | varR | varO},
	doExamineReceptacle: {"examinereceptacle", varA | varR},
	doExamineObject:     {"examineobject", varA | varO},
	doGoTo:              {"gotolocation", varA | varLStart | varLEnd | varR},
	doHeat:              {"heatobject", varA | varL | varR | varO},
	doHelp:              {"help", varA},
	doInventory:         {"inventory", varA},
	doLook:              {"look", varA | varL},
	doMove:              {"putobject", varA | varL | varO | varR},
	doOpen:              {"openobject", varA | varL | varR},
	doSlice:             {"sliceobject", varA | varL | varCO | varKO},
	doTake:              {"pickupobject", varA | varL | varO | varR},
	doUse:               {"toggleobject", varA | varL | varO | varR},
}

// action is a schema with its parameters, -1 where it has none. The locations follow from the state.
type action struct {
	verb                            verb
	agent, object, receptacle, tool int16
}

// menu is the applicable actions of a state with their commands, sorted by command.
// It is never changed after it was made.
type menu struct {
	commands []string
	actions  []action
}

func (m *menu) add(command string, a action) {
	m.commands = append(m.commands, command)
	m.actions = append(m.actions, a)
}

// sort sorts the menu, which almost is, and keeps the first of equal commands: help and
// inventory, where there are several agents, are as in ALFWorld those of the first by id.
func (m *menu) sort() {
	n := 0
	for i, command := range m.commands {
		at := n
		for at > 0 && m.commands[at-1] > command {
			at--
		}
		if at > 0 && m.commands[at-1] == command {
			continue
		}
		a := m.actions[i]
		copy(m.commands[at+1:n+1], m.commands[at:n])
		copy(m.actions[at+1:n+1], m.actions[at:n])
		m.commands[at], m.actions[at] = command, a
		n++
	}
	m.commands, m.actions = m.commands[:n], m.actions[:n]
}

// applicable lists the actions whose preconditions hold in s.
func (w *world) applicable(s state) menu {
	size := len(w.agents)*len(w.receptacles) + 24
	m := menu{make([]string, 0, size), make([]action, 0, size)}
	for a := range w.agents {
		for _, v := range w.phrasing.verbs {
			w.list(&m, s, v, int16(a))
		}
	}
	m.sort()
	return m
}

// reachable reports whether the contents of r are: r does not open, or is open.
func (w *world) reachable(s state, r int16) bool {
	return !w.receptacles[r].openable || w.opened(s).has(r)
}

// here returns the receptacles that an agent can use, in order of name.
func (w *world) here(s state, a int16) []int16 {
	if at := w.at(s, a); at >= 0 {
		return w.places[at].byName
	}
	return nil
}

// list lists the applicable actions of one schema and agent.
func (w *world) list(m *menu, s state, v verb, a int16) {
	switch v {
	case doClean, doHeat, doCool:
		w.listAppliance(m, s, v, a)
	case doOpen, doClose:
		for _, r := range w.here(s, a) {
			if w.receptacles[r].openable && w.opened(s).has(r) == (v == doClose) {
				m.add(w.commands[a].of[v][r], action{v, a, -1, r, -1})
			}
		}
	case doExamineReceptacle:
		for _, r := range w.here(s, a) {
			m.add(w.commands[a].of[v][r], action{v, a, -1, r, -1})
		}
	case doExamineObject:
		w.eachHeld(s, a, func(o int16) { m.add(w.commands[a].of[v][o], action{v, a, o, -1, -1}) })
	case doGoTo:
		w.listGoTo(m, s, a)
	case doHelp, doInventory:
		m.add(w.commands[a].of[v][0], action{v, a, -1, -1, -1})
	case doLook:
		if w.at(s, a) >= 0 {
			m.add(w.commands[a].of[v][0], action{v, a, -1, -1, -1})
		}
	case doMove:
		w.listMove(m, s, a)
	case doSlice:
		w.listSlice(m, s, a)
	case doTake:
		w.listTake(m, s, a)
	case doUse:
		w.listUse(m, s, a)
	}
}

// addNew adds an action whose command is written when it is listed.
func (w *world) addNew(m *menu, a action) { m.add(w.command(a), a) }

// eachHeld calls do for what is in an agent's hands: one thing, unless a game starts
// otherwise. The domain means to let agents examine what lies in reach too, but its
// quantifier "?l - location, ?r - receptacle" names a type with a comma that no location has.
func (w *world) eachHeld(s state, a int16, do func(o int16)) {
	for word, rest := range w.held(s, a) {
		for ; rest != 0; rest &= rest - 1 {
			do(first(word, rest))
		}
	}
}

// listAppliance lists cleaning, heating or cooling what is in hand. The appliance need not be open.
func (w *world) listAppliance(m *menu, s state, v verb, a int16) {
	for _, r := range w.here(s, a) {
		if w.receptacles[r].appliance != v {
			continue
		}
		w.eachHeld(s, a, func(o int16) {
			if w.objects[o].can&treatments[v].able != 0 {
				w.addNew(m, action{v, a, o, r, -1})
			}
		})
	}
}

// listGoTo leaves out where the agent stands: going there has no effect, and the planner drops such actions.
func (w *world) listGoTo(m *menu, s state, a int16) {
	at := w.at(s, a)
	if at < 0 {
		return
	}
	for _, r := range w.byName.receptacles {
		if to := w.receptacles[r].location; to >= 0 && to != at {
			m.add(w.commands[a].of[doGoTo][r], action{doGoTo, a, -1, r, -1})
		}
	}
}

func (w *world) listMove(m *menu, s state, a int16) {
	w.eachHeld(s, a, func(o int16) {
		for _, r := range w.here(s, a) {
			if w.reachable(s, r) && w.holds(r, o) {
				w.addNew(m, action{doMove, a, o, r, -1})
			}
		}
	})
}

// listSlice lists what the knife in hand can slice: also what lies in a closed receptacle, and what is sliced already.
func (w *world) listSlice(m *menu, s state, a int16) {
	at := w.at(s, a)
	w.eachHeld(s, a, func(knife int16) {
		if at < 0 || !w.objects[knife].knife {
			return
		}
		for _, o := range w.byName.objects {
			if w.objects[o].can&Sliceable != 0 && w.near(s, at).has(o) {
				w.addNew(m, action{doSlice, a, o, -1, knife})
			}
		}
	})
}

// listTake lists what lies in or on the receptacles here, unless they are closed.
func (w *world) listTake(m *menu, s state, a int16) {
	if w.busy(s, a) {
		return
	}
	here := w.here(s, a)
	for _, o := range w.byName.objects {
		for _, r := range here {
			if w.in(s, r).has(o) && w.objects[o].can&Pickupable != 0 && w.reachable(s, r) {
				w.addNew(m, action{doTake, a, o, r, -1})
			}
		}
	}
}

// listUse lists the lamps here, also in closed receptacles, and on or off.
func (w *world) listUse(m *menu, s state, a int16) {
	here := w.here(s, a)
	for _, o := range w.byName.objects {
		if w.objects[o].can&Toggleable == 0 {
			continue
		}
		for _, r := range here {
			if w.in(s, r).has(o) {
				m.add(w.commands[a].of[doUse][o], action{doUse, a, o, r, -1})
				break
			}
		}
	}
}

// treatments are what appliances do to an object that can bear it.
var treatments = [verbs]struct {
	word          string
	appliance     string // a type of receptacle
	able          Affordance
	makes, undoes Change
}{
	doClean: {"clean", "SinkBasin", Cleanable, Clean, 0},
	doHeat:  {"heat", "Microwave", Heatable, Hot, Cool},
	doCool:  {"cool", "Fridge", Coolable, Cool, Hot},
}

// wanted are the treatments that tasks ask for.
var wanted = map[TaskType]verb{PickClean: doClean, PickHeat: doHeat, PickCool: doCool}

// appliance returns what a type of receptacle does, verbs for nothing.
func appliance(kind string) verb {
	for _, v := range wanted {
		if strings.EqualFold(treatments[v].appliance, kind) {
			return v
		}
	}
	return verbs
}

// apply carries out an applicable action. It reports whether the state changed in a way
// that a precondition, a text or the goal can see.
func (w *world) apply(s state, a action) bool {
	switch a.verb {
	case doGoTo:
		w.walk(s, a.agent, w.receptacles[a.receptacle].location)
	case doOpen:
		w.opened(s).add(a.receptacle)
	case doClose:
		w.opened(s).remove(a.receptacle)
	case doTake:
		w.in(s, a.receptacle).remove(a.object)
		w.gone(s, a.receptacle).add(a.object)
		w.near(s, w.at(s, a.agent)).remove(a.object)
		w.held(s, a.agent).add(a.object)
		w.hands(s).add(a.agent)
	case doMove:
		w.in(s, a.receptacle).add(a.object)
		w.gone(s, a.receptacle).remove(a.object)
		w.near(s, w.at(s, a.agent)).add(a.object)
		w.held(s, a.agent).remove(a.object)
		w.hands(s).remove(a.agent)
	case doClean, doHeat, doCool:
		t := treatments[a.verb]
		w.made(s, t.makes).add(a.object)
		if t.undoes != 0 {
			w.made(s, t.undoes).remove(a.object)
		}
	case doUse:
		w.made(s, Toggled).add(a.object) // once toggled, always: isToggled is never taken back
		on := w.made(s, On)
		if on.has(a.object) {
			on.remove(a.object)
		} else {
			on.add(a.object)
		}
	case doSlice:
		w.made(s, Sliced).add(a.object)
	default:
		return false
	}
	return true
}
