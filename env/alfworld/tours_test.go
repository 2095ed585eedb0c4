package alfworld

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// toured is a game as testdata/real/record.py reads it.
type toured struct {
	Name     string     `json:"name"`
	Sentence string     `json:"sentence"`
	Problem  string     `json:"problem"`
	Tours    [][]string `json:"tours"`
}

// TestWriteGames writes games of generated houses for testdata/real/record.py to the file
// named by ALFWORLD_GAMES, with the expert's plan and tours of what random walks rarely
// meet. ALFWORLD_TASKS names the tasks, separated by spaces.
func TestWriteGames(t *testing.T) {
	path := os.Getenv("ALFWORLD_GAMES")
	if path == "" {
		t.Skip("ALFWORLD_GAMES is not set: it is by make test-alfworld")
	}
	var lines bytes.Buffer
	for _, name := range strings.Fields(os.Getenv("ALFWORLD_TASKS")) {
		task, err := sparkd.ParseTask(name)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ProblemOf(task)
		if err != nil {
			t.Fatal(err)
		}
		e := start(t, task)
		plan, err := Expert(e)
		if err != nil {
			t.Fatal(err)
		}
		game := toured{Name: strings.ReplaceAll(name, "/", "-"), Sentence: p.Goal.Sentence, Problem: p.pddl(),
			Tours: [][]string{plan}}
		for _, tour := range [][]string{nextDoor(e), cook(e), lightUp(e)} {
			if len(tour) > 0 {
				game.Tours = append(game.Tours, tour)
			}
		}
		if err := json.NewEncoder(&lines).Encode(game); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, lines.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// nextDoor moves an object to and fro between receptacles of one location, and looks.
func nextDoor(e *Env) []string {
	p := planner{env: e.fork()}
	w := p.env.world
	for _, here := range w.places {
		for o := range int16(len(w.objects)) {
			if len(here.byID) < 2 || w.objects[o].can&Pickupable == 0 || p.hand() >= 0 || !w.holds(here.byID[0], o) {
				continue
			}
			p.fetch(o)
			for _, r := range append(here.byID, here.byID...) {
				p.move(r)
				p.tell("look", "examine "+w.receptacles[r].name)
				p.fetch(o)
				p.tell("look", "inventory", "examine "+w.objects[o].name)
			}
			p.drop()
			break
		}
	}
	return p.plan
}

// cook slices what can be sliced, and cleans, heats and cools it, examining it each time.
func cook(e *Env) []string {
	p := planner{env: e.fork()}
	w := p.env.world
	knife := slices.IndexFunc(w.objects, func(o object) bool { return o.knife })
	food := slices.IndexFunc(w.objects, func(o object) bool { return o.can&Sliceable != 0 })
	if knife < 0 || food < 0 {
		return nil
	}
	p.fetch(int16(knife))
	p.goTo(p.where(int16(food))) // its receptacle may stay closed: it can be sliced all the same
	p.tell("slice "+w.objects[food].name+" with "+w.objects[knife].name, "look")
	p.drop()
	p.fetch(int16(food))
	p.tell("examine " + w.objects[food].name)
	for _, made := range []struct {
		word string
		by   verb
	}{{"heat ", doHeat}, {"cool ", doCool}, {"clean ", doClean}, {"heat ", doHeat}, {"cool ", doCool}} {
		if r := slices.IndexFunc(w.receptacles, func(r receptacle) bool { return r.appliance == made.by }); r >= 0 {
			p.goTo(int16(r))
			p.tell(made.word+w.objects[food].name+" with "+w.receptacles[r].name, "examine "+w.objects[food].name)
		}
	}
	p.drop()
	return p.plan
}

// lightUp uses every lamp twice.
func lightUp(e *Env) []string {
	p := planner{env: e.fork()}
	for o := range int16(len(p.env.world.objects)) {
		if lamp := &p.env.world.objects[o]; lamp.can&Toggleable != 0 {
			p.goTo(p.where(o))
			p.tell("look", "use "+lamp.name, "use "+lamp.name, "examine "+lamp.name, "look")
		}
	}
	return p.plan
}

// tell gives commands that may be inadmissible.
func (p *planner) tell(commands ...string) {
	for _, c := range commands {
		if !p.env.done {
			p.env.step(c)
			p.plan = append(p.plan, c)
		}
	}
}
