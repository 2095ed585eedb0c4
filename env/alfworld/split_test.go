package alfworld

import (
	"fmt"
	"testing"

	"sparkd"
)

// TypeOf returns the type of a task.
func TypeOf(t sparkd.Task) (TaskType, error) {
	s, err := findSplit(t)
	if err != nil {
		return "", err
	}
	return s.types[t.Index%len(s.types)], nil
}

// HouseOf returns the number of the house in which a task is set.
func HouseOf(t sparkd.Task) (int, error) {
	s, err := findSplit(t)
	if err != nil {
		return 0, err
	}
	return s.house(t.Index), nil
}

// serial writes out the initial state and the goal of a problem.
func serial(p *Problem) string {
	return fmt.Sprintf("%v %v %v %v %v %v", p.Receptacles, p.Objects, p.Goal.Type, p.Goal.Object,
		p.Goal.Receptacle, p.Goal.Lamp)
}

// No game of a held-out split is a game of a training split, or of another held-out one.
func TestSplitsAreDisjoint(t *testing.T) {
	perSplit := 1000
	if testing.Short() {
		perSplit = 100
	}
	seen := map[string]sparkd.Task{}
	for _, task := range tasks(perSplit) {
		p, err := ProblemOf(task)
		if err != nil {
			t.Fatal(err)
		}
		game := serial(p)
		if other, ok := seen[game]; ok {
			t.Errorf("%v and %v are the same game", task, other)
		}
		seen[game] = task
		s, _ := findSplit(task)
		if p.fingerprint()%4 != s.class {
			t.Errorf("%v has fingerprint class %d, its split takes %d", task, p.fingerprint()%4, s.class)
		}
		if p.Goal.Type != s.types[task.Index%len(s.types)] {
			t.Errorf("%v has type %s", task, p.Goal.Type)
		}
	}
	classes := map[uint64]string{}
	for _, s := range splits() {
		if s.name == "train4" {
			continue // a training split, like train
		}
		if other, ok := classes[s.class]; ok {
			t.Errorf("%s and %s share a class of games", s.name, other)
		}
		classes[s.class] = s.name
	}
}

// l0 is set in houses of both training splits; l1 and l2 never are.
func TestHousesOfSplits(t *testing.T) {
	houses := map[string]map[int]bool{}
	types := map[string]map[TaskType]bool{}
	for _, s := range splits() {
		houses[s.name], types[s.name] = map[int]bool{}, map[TaskType]bool{}
		for i := range s.count {
			task := sparkd.Task{Env: Name, Split: s.name, Index: i}
			h, err := HouseOf(task)
			if err != nil {
				t.Fatal(err)
			}
			kind, err := TypeOf(task)
			if err != nil {
				t.Fatal(err)
			}
			houses[s.name][h], types[s.name][kind] = true, true
		}
	}
	for _, training := range []string{"train", "train4"} {
		for h := range houses["l0"] {
			if !houses[training][h] {
				t.Errorf("l0 uses house %d, %s does not", h, training)
			}
		}
		for _, split := range []string{"l1", "l2"} {
			for h := range houses[split] {
				if houses[training][h] {
					t.Errorf("%s uses house %d of %s", split, h, training)
				}
			}
		}
	}
	for kind := range types["l2"] {
		if types["train4"][kind] {
			t.Errorf("l2 and train4 share the task type %s", kind)
		}
	}
	if len(types["l2"]) != 2 || len(types["train4"]) != 4 || len(types["train"]) != 6 {
		t.Errorf("task types: l2 %d, train4 %d, train %d", len(types["l2"]), len(types["train4"]), len(types["train"]))
	}
}

func TestHouses(t *testing.T) {
	seen := map[string]int{}
	for id := range seenHouses + unseenHouses {
		receptacles := house(id)
		if n := len(receptacles); n < minReceptacles || n > maxReceptacles {
			t.Errorf("house %d has %d receptacles", id, n)
		}
		key := ""
		ids := map[string]bool{}
		for _, r := range receptacles {
			if ids[r.ID] {
				t.Errorf("house %d: %s twice", id, r.ID)
			}
			ids[r.ID] = true
			key += r.ID + " "
		}
		if other, ok := seen[key]; ok {
			t.Errorf("houses %d and %d are the same", id, other)
		}
		seen[key] = id
	}
}

// Every object lies where its type fits, and every furnishing table adds up to the 30
// floor plans it was counted from.
func TestProblems(t *testing.T) {
	for _, task := range tasks(50) {
		p, err := ProblemOf(task)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Objects {
			in := p.Receptacles[o.In[0]].Type
			if !fits[in][o.Type] && !(able[Toggleable][o.Type] && lampStands[in]) {
				t.Errorf("%v: %s lies in %s", task, o.ID, in)
			}
			if o.Type == p.Goal.Object && in == p.Goal.Receptacle {
				t.Errorf("%v: a %s is in a %s from the start", task, o.Type, in)
			}
		}
	}
	for _, r := range rooms {
		for _, f := range r.receptacles {
			plans := 0
			for _, c := range f.distribution() {
				plans += c[1]
			}
			if plans != 30 {
				t.Errorf("%s: the counts of %s are from %d floor plans", r.name, f.kind, plans)
			}
		}
	}
}
