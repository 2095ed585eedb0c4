package alfworld

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sparkd"
)

// Name is the environment's name in tasks.
const Name = "household"

// split is a set of tasks. Every game has a class from 0 to 3, drawn from its initial
// state and goal by fingerprint; a split takes one class alone, so that training games
// and held-out games are disjoint by construction, whatever the generator draws.
type split struct {
	name   string
	number uint64 // part of the seed of its games
	count  int
	types  []TaskType
	unseen bool   // houses that no training split uses
	class  uint64 // fingerprint modulo 4
}

// Houses are numbered; house modulo 4 is its room. Training uses the first ones.
const (
	seenHouses   = 400
	unseenHouses = 120
)

// splits follow the three levels of generalisation of SPARK (arXiv 2601.20209): l0 is new games in the houses of
// training, l1 is houses never seen, l2 is task types never seen (by those who train on train4), in houses never seen.
func splits() []split {
	all := TaskTypes()
	return []split{
		{name: "train", number: 1, count: 10000, types: all},
		{name: "train4", number: 2, count: 10000, types: all[:4]},
		{name: "l0", number: 3, count: 2000, types: all, class: 1},
		{name: "l1", number: 4, count: 2000, types: all, class: 2, unseen: true},
		{name: "l2", number: 5, count: 2000, types: all[4:], class: 3, unseen: true},
	}
}

// Info describes the environment.
func (Household) Info() sparkd.EnvInfo {
	info := sparkd.EnvInfo{
		Name: Name, Splits: map[string]int{}, MaxSteps: maxSteps, Fork: sparkd.ForkNative,
		Examples: examples,
		About: "ALFWorld's rules and texts, played natively in generated houses; l0: new games in training " +
			"houses, l1: unseen houses, l2: the two task types that train4 leaves out",
	}
	for _, s := range splits() {
		info.Splits[s.name] = s.count
	}
	return info
}

func findSplit(t sparkd.Task) (split, error) {
	info, all := Household{}.Info(), splits()
	if err := hasTask(&info, t); err != nil {
		return split{}, err
	}
	return all[slices.IndexFunc(all, func(s split) bool { return s.name == t.Split })], nil
}

// hasTask checks that an environment has a task.
func hasTask(info *sparkd.EnvInfo, t sparkd.Task) error {
	size, ok := info.Splits[t.Split]
	switch {
	case !ok:
		return sparkd.Invalid("tasks.split", "use one of "+strings.Join(slices.Sorted(maps.Keys(info.Splits)), ", "),
			"%s has no split %q", info.Name, t.Split)
	case t.Index < 0 || t.Index >= size:
		return sparkd.Invalid("tasks.indices", fmt.Sprintf("use 0 to %d", size-1), "%s/%s has no task %d",
			info.Name, t.Split, t.Index)
	}
	return nil
}

// house draws the house of a task among those whose room suits the task type.
func (s *split) house(index int) int {
	rng := newRand(gameSalt, s.number, uint64(index))
	among := taskRooms[s.types[index%len(s.types)]]
	at := among[rng.IntN(len(among))]
	if s.unseen {
		return seenHouses + len(rooms)*rng.IntN(unseenHouses/len(rooms)) + at
	}
	return len(rooms)*rng.IntN(seenHouses/len(rooms)) + at
}

// ProblemOf returns the game of a task: the same on every machine.
func ProblemOf(t sparkd.Task) (*Problem, error) {
	s, err := findSplit(t)
	if err != nil {
		return nil, err
	}
	for attempt := uint64(1); ; attempt++ {
		rng := newRand(gameSalt, s.number, uint64(t.Index), attempt)
		p := generate(rng, s.house(t.Index), s.types[t.Index%len(s.types)])
		if p.fingerprint()%4 == s.class {
			return p, nil
		}
	}
}

// Household is the source of generated houses. It holds nothing.
type Household struct{}

// Open returns a fresh copy.
func (Household) Open(ctx context.Context) (sparkd.Env, error) { return New(), ctx.Err() }

// Close does nothing.
func (Household) Close() error { return nil }
