package alfworld

import (
	"fmt"
	"strings"
)

// Slip returns something useless to do, with a reason that sounds right: what an agent does that does not look closely.
// Whoever learns from the steps that follow learns to go on after mistakes, which shortest paths never show.
func (s *Seeker) Slip() (command string, r Reason) {
	w, at := s.env.world, s.env.world.at(s.env.state, 0)
	var here string
	for i := range w.receptacles {
		if at >= 0 && w.receptacles[i].location == at {
			here = w.receptacles[i].name
		}
	}
	what := strings.ToLower(w.types.object[w.target.object])
	switch draw := s.rng.Float64(); {
	case draw < 0.4 && here != "": // sees what is not there
		what = fmt.Sprintf("%s %d", what, 1+s.rng.IntN(3))
		return "take " + what + " from " + here, Reason{Text: "here is " + what}
	case draw < 0.7: // goes somewhere, seen or not
		r := &w.receptacles[s.rng.IntN(len(w.receptacles))]
		return "go to " + r.name, Reason{Text: what + ": " + r.name + "?"}
	case draw < 0.85: // goes where nothing is
		kind := strings.ToLower(w.types.receptacle[s.rng.IntN(len(w.types.receptacle))])
		place := fmt.Sprintf("%s %d", kind, 1+s.rng.IntN(20))
		return "go to " + place, Reason{Text: "try " + place}
	}
	command = s.env.menu.commands[s.rng.IntN(len(s.env.menu.commands))]
	return command, Reason{Text: "try it"}
}
