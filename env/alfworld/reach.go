package alfworld

import "slices"

// reach returns the facts that some sequence of actions might make true: a state in which
// actions only ever add facts, as in a planner's relaxed problem. A goal that does not hold
// even there can never hold. Agents stay where they are; canGo says where they could be.
func (w *world) reach() state {
	s := slices.Clone(w.first)
	for {
		before := slices.Clone(s)
		for a := range int16(len(w.agents)) {
			for r := range int16(len(w.receptacles)) {
				if at := w.receptacles[r].location; at >= 0 && w.canGo(s, a, at) {
					w.spread(s, a, r, at)
				}
			}
		}
		if slices.Equal(before, s) {
			return s
		}
	}
}

// canGo reports whether an agent can ever stand at a location.
func (w *world) canGo(s state, a, location int16) bool {
	at := w.at(s, a)
	return at >= 0 && (at == location || len(w.places[location].byID) > 0)
}

// spread adds what an agent could bring about at a receptacle.
func (w *world) spread(s state, a, r, at int16) {
	rec := &w.receptacles[r]
	if rec.openable {
		w.opened(s).add(r)
	}
	knife := false
	w.eachHeld(s, a, func(o int16) {
		knife = knife || w.objects[o].knife
		if rec.appliance != verbs && w.objects[o].can&treatments[rec.appliance].able != 0 {
			w.made(s, treatments[rec.appliance].makes).add(o)
		}
		if w.holds(r, o) {
			w.in(s, r).add(o)
			w.near(s, at).add(o)
		}
	})
	for o := range int16(len(w.objects)) {
		can := w.objects[o].can
		if can&Sliceable != 0 && knife && w.near(s, at).has(o) {
			w.made(s, Sliced).add(o)
		}
		if !w.in(s, r).has(o) {
			continue
		}
		if can&Pickupable != 0 {
			w.held(s, a).add(o)
			w.hands(s).add(a)
		}
		if can&Toggleable != 0 {
			w.made(s, Toggled).add(o)
			w.made(s, On).add(o)
		}
	}
}
