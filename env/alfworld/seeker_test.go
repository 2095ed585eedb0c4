package alfworld

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

// told is what a player has been told so far, by the texts alone: compact prompts list
// no commands.
type told struct {
	things  map[string]bool // "mug 1", "desk 1"
	content map[string]bool // receptacles of which a text has said what is in them
}

var (
	thing   = regexp.MustCompile(`\b[a-z]+ \d+\b`)
	content = regexp.MustCompile(`(?:On the ([a-z]+ \d+), you see|You open the ([a-z]+ \d+)\.)`)
	inside  = regexp.MustCompile(`The ([a-z]+ \d+) is open\. In it`)
)

func (k *told) hear(o *sparkd.Observation) {
	for _, name := range thing.FindAllString(o.Text, -1) {
		k.things[name] = true
	}
	for _, pattern := range []*regexp.Regexp{content, inside} {
		for _, m := range pattern.FindAllStringSubmatch(o.Text, -1) {
			k.content[strings.Join(m[1:], "")] = true
		}
	}
}

// check judges an action and its reason by what was told before.
func (k *told) check(r Reason, action string) error {
	for _, name := range thing.FindAllString(action+" "+r.Text, -1) {
		if !k.things[name] {
			return fmt.Errorf("%s is named and was never told of", name)
		}
	}
	if strings.ContainsAny(r.Text, "<>\n") || strings.TrimSpace(r.Text) == "" {
		return fmt.Errorf("the reason cannot stand between tags")
	}
	if o, at, ok := strings.Cut(r.Text, " is at "); ok && !k.content[at] {
		return fmt.Errorf("%s was not seen, and %s is said to be there", at, o)
	}
	if !r.Open {
		return nil
	}
	_, list, _ := strings.Cut(strings.TrimSuffix(r.Text, "?"), ": ")
	places := strings.Split(list, ", ")
	if len(places) < 2 || len(places) > named ||
		len(slices.Compact(slices.Sorted(slices.Values(places)))) != len(places) {
		return fmt.Errorf("%d candidates", len(places))
	}
	if !slices.Contains(places, strings.TrimPrefix(action, "go to ")) {
		return fmt.Errorf("the place chosen is none of the candidates")
	}
	for _, p := range places {
		if k.content[p] {
			return fmt.Errorf("the candidate %s was seen", p)
		}
	}
	return nil
}

// seek plays a game to its end or for most steps, by next (nil: the seeker's own), and
// returns the actions and the reasons.
func seek(t *testing.T, e *Env, o sparkd.Observation, seed uint64, most int,
	next func() string) (actions []string, reasons []Reason) {
	t.Helper()
	s, err := NewSeeker(e, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if next == nil {
		next = s.Next
	}
	known := &told{map[string]bool{}, map[string]bool{}}
	for len(actions) < most && !e.done {
		known.hear(&o)
		action := next()
		reason := s.Reason(action)
		if err := known.check(reason, action); err != nil {
			t.Fatalf("seed %d, after %q: %v\nreason %+v\naction %q\nobservation %q", seed, actions,
				err, reason, action, o.Text)
		}
		actions, reasons = append(actions, action), append(reasons, reason)
		s.Tell(action)
		o = step(t, e, action)
	}
	return actions, reasons
}

// The seeker solves nearly all games within 30 steps, and every one if it may go on.
func TestSeekerSolves(t *testing.T) {
	perSplit := 300
	if testing.Short() {
		perSplit = 30
	}
	solved, played := map[string]int{}, map[string]int{}
	for n, task := range tasks(perSplit) {
		e := start(t, task)
		s, err := NewSeeker(e, rand.New(rand.NewPCG(uint64(n), 1)))
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		for ; !e.done && steps < 100; steps++ {
			action := s.Next()
			s.Reason(action) // remembers what was searched
			s.Tell(action)
			step(t, e, action)
		}
		played[task.Split]++
		if steps <= 30 {
			solved[task.Split]++
		}
		if !e.done {
			t.Errorf("%v, seed %d: not solved in %d steps", task, n, steps)
		}
	}
	for _, split := range slices.Sorted(maps.Keys(played)) {
		t.Logf("%s: %d of %d games solved in 30 steps", split, solved[split], played[split])
		if solved[split]*100 < played[split]*97 {
			t.Errorf("%s: only %d of %d games solved", split, solved[split], played[split])
		}
	}
}

// The seeker neither acts on nor names anything that it was not told.
func TestSeekerKnowsWhatItWasTold(t *testing.T) {
	steps, open := 0, 0
	for n, task := range tasks(20) {
		e := New()
		o, err := e.Reset(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		actions, reasons := seek(t, e, o, uint64(n), 30, nil)
		steps += len(actions)
		for _, r := range reasons {
			if r.Open {
				open++
			}
		}
	}
	if open*10 < steps || open*2 > steps {
		t.Errorf("%d of %d reasons are open", open, steps)
	}
}

// The reasons that are given for the expert's actions know no more than the seeker does.
func TestSeekerExplainsTheExpert(t *testing.T) {
	for n, task := range tasks(20) {
		e := New()
		o, err := e.Reset(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Expert(e)
		if err != nil {
			t.Fatal(err)
		}
		rest := slices.Clone(plan)
		actions, _ := seek(t, e, o, uint64(n), len(plan), func() (a string) { a, rest = rest[0], rest[1:]; return a })
		if !e.done || !slices.Equal(actions, plan) {
			t.Errorf("%v: done %v after %q", task, e.done, actions)
		}
	}
}

// A seed plays the same way every time; another one does not.
func TestSeekerIsDeterministic(t *testing.T) {
	differ := 0
	for _, task := range tasks(4) {
		var all [3][]string
		var why [3][]Reason
		for i, seed := range []uint64{5, 5, 6} {
			e := New()
			o, err := e.Reset(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			all[i], why[i] = seek(t, e, o, seed, 30, nil)
		}
		if !slices.Equal(all[0], all[1]) || !slices.Equal(why[0], why[1]) {
			t.Errorf("%v: one seed plays %q and %q", task, all[0], all[1])
		}
		if !slices.Equal(all[0], all[2]) {
			differ++
		}
	}
	if differ < 10 {
		t.Errorf("another seed played only %d of 20 games otherwise", differ)
	}
}

// The seeker leaves the game as it is until the caller steps it.
func TestSeekerOnlyLooks(t *testing.T) {
	for _, task := range tasks(4) {
		e := start(t, task)
		s, err := NewSeeker(e, rand.New(rand.NewPCG(1, 1)))
		if err != nil {
			t.Fatal(err)
		}
		before := e.StateHash()
		action := s.Next()
		s.Reason(action)
		s.Tell(action)
		if e.StateHash() != before || !slices.Contains(e.menu.commands, action) {
			t.Errorf("%v: %q changed the game, or is not possible", task, action)
		}
	}
}

// It plays ALFWorld's own files too, in all their wordings.
func TestSeekerInAFolderOfGames(t *testing.T) {
	s := open(t, write(t, downloaded(t)))
	for _, split := range []string{trainSplit, unseenSplit} {
		for i := range s.Info().Splits[split] {
			opened, err := s.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			e := opened.(*Env)
			o, err := e.Reset(t.Context(), sparkd.Task{Env: "alf", Split: split, Index: i})
			if err != nil {
				t.Fatal(err)
			}
			if actions, _ := seek(t, e, o, uint64(i), 50, nil); !e.done {
				t.Errorf("%s/%d is not solved: %q", split, i, actions)
			}
		}
	}
}

// Without a game, or with a goal that no planner knows, there is no seeker. A command that
// the game does not offer has a reason all the same.
func TestSeekerRefuses(t *testing.T) {
	if _, err := NewSeeker(New(), nil); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("without a game: %v", err)
	}
	e := start(t, sparkd.Task{Env: Name, Split: "train"})
	s, err := NewSeeker(e, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Reason("dance with fridge 1"); r.Open || r.Text == "" {
		t.Errorf("%+v", r)
	}
	other := *e.world
	other.target = target{}
	e.world = &other
	if _, err := NewSeeker(e, nil); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("an unknown goal: %v", err)
	}
}
