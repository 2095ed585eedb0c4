package alfworld

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparkd"
)

// StateHash identifies the state among those of the same game.
func (e *Env) StateHash() uint64 {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, []uint64(e.state))
	return h.Sum64()
}

// Play starts a game from its problem.
func (e *Env) Play(p *Problem) (sparkd.Observation, error) {
	w, err := newWorld(p)
	if err != nil {
		return sparkd.Observation{}, err
	}
	return e.start(w), nil
}

var _ sparkd.Forker = (*Env)(nil)

// start opens the game of a task.
func start(t testing.TB, task sparkd.Task) *Env {
	t.Helper()
	e := New()
	if _, err := e.Reset(t.Context(), task); err != nil {
		t.Fatalf("%v: %v", task, err)
	}
	return e
}

func step(t testing.TB, e *Env, command string) sparkd.Observation {
	t.Helper()
	o, err := e.Step(t.Context(), command)
	if err != nil {
		t.Fatalf("%q: %v", command, err)
	}
	return o
}

// tasks returns n tasks spread over each split and over its task types (7919 is prime).
func tasks(n int) []sparkd.Task {
	var all []sparkd.Task
	for _, s := range splits() {
		for i := range n {
			all = append(all, sparkd.Task{Env: Name, Split: s.name, Index: i * 7919 % s.count})
		}
	}
	return all
}

func TestSameTaskSameGame(t *testing.T) {
	for _, task := range tasks(20) {
		a, b := New(), New()
		first, err := a.Reset(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.Reset(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(first, second) || a.StateHash() != b.StateHash() {
			t.Errorf("%v: two resets differ", task)
		}
		if first.Done || first.Reward != 0 || first.Goal == "" {
			t.Errorf("%v: starts with done %v, reward %v, goal %q", task, first.Done, first.Reward, first.Goal)
		}
	}
}

// In random walks the admissible actions are sorted and unique, each of them is answered
// by something, and inadmissible text changes nothing.
func TestRandomWalks(t *testing.T) {
	for n, task := range tasks(30) {
		rng := rand.New(rand.NewPCG(uint64(n), 7))
		e := start(t, task)
		for i := 0; i < 60 && !e.done; i++ {
			commands := e.menu.commands
			if !slices.IsSorted(commands) || len(slices.Compact(slices.Clone(commands))) != len(commands) {
				t.Fatalf("%v, walk seed %d, step %d: not sorted or not unique: %q", task, n, i, commands)
			}
			before := e.StateHash()
			if o := step(t, e, "dance with fridge 1"); o.Text != nothingHappens || e.StateHash() != before ||
				!slices.Equal(o.Admissible, commands) {
				t.Fatalf("%v, walk seed %d, step %d: inadmissible text: %q", task, n, i, o.Text)
			}
			command := commands[rng.IntN(len(commands))]
			if o := step(t, e, "\t "+command+"\n"); o.Text == nothingHappens || o.Text == "" {
				t.Fatalf("%v, walk seed %d, step %d: %q is answered by %q", task, n, i, command, o.Text)
			}
		}
	}
}

// A fork is the same state: the same actions give the same observations. It is an
// independent one: its steps leave its parent alone.
func TestFork(t *testing.T) {
	for n, task := range tasks(30) {
		rng := rand.New(rand.NewPCG(uint64(n), 11))
		parent := start(t, task)
		walk(t, parent, rng, rng.IntN(40))
		if parent.done {
			continue
		}
		forked, err := parent.Fork(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		twin := forked.(*Env)
		before, commands := parent.StateHash(), slices.Clone(parent.menu.commands)
		if twin.StateHash() != before {
			t.Fatalf("%v, walk seed %d: the fork has another state", task, n)
		}
		other := twin.fork()
		walk(t, other, rand.New(rand.NewPCG(uint64(n), 13)), 20)
		if parent.StateHash() != before || !slices.Equal(parent.menu.commands, commands) {
			t.Fatalf("%v, walk seed %d: a fork's steps changed its parent", task, n)
		}
		for i := 0; i < 30 && !parent.done; i++ {
			command := parent.menu.commands[rng.IntN(len(parent.menu.commands))]
			a, b := step(t, parent, command), step(t, twin, command)
			if !reflect.DeepEqual(a, b) || a.Hash() != b.Hash() || parent.StateHash() != twin.StateHash() {
				t.Fatalf("%v, walk seed %d: %q: parent and fork differ:\n%q\n%q", task, n, command, a.Text, b.Text)
			}
		}
	}
}

func walk(t *testing.T, e *Env, rng *rand.Rand, steps int) {
	t.Helper()
	for i := 0; i < steps && !e.done; i++ {
		step(t, e, e.menu.commands[rng.IntN(len(e.menu.commands))])
	}
}

func TestManyAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	want := start(t, sparkd.Task{Env: Name, Split: "l1", Index: 3}).StateHash()
	for range 8 {
		wg.Go(func() {
			e := New()
			for i := range 20 {
				if _, err := e.Reset(t.Context(), sparkd.Task{Env: Name, Split: "l1", Index: i}); err != nil {
					t.Error(err)
				}
				if i == 3 && e.StateHash() != want {
					t.Error("the game depends on what else runs")
				}
			}
		})
	}
	wg.Wait()
}

func TestMisuse(t *testing.T) {
	e := New()
	if _, err := e.Step(t.Context(), "look"); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("step before reset: %v", err)
	}
	if _, err := Expert(e); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("expert before reset: %v", err)
	}
	e = start(t, sparkd.Task{Env: Name, Split: "train", Index: 0})
	plan, err := Expert(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range plan {
		step(t, e, command)
	}
	if _, err := e.Step(t.Context(), "look"); sparkd.CodeOf(err) != sparkd.CodeEnv {
		t.Errorf("step after the end: %v", err)
	}
}

func TestBadTasks(t *testing.T) {
	for _, c := range []struct {
		task  sparkd.Task
		field string
	}{
		{sparkd.Task{Env: Name, Split: "l3"}, "tasks.split"},
		{sparkd.Task{Env: Name}, "tasks.split"},
		{sparkd.Task{Env: Name, Split: "l0", Index: 2000}, "tasks.indices"},
		{sparkd.Task{Env: Name, Split: "train", Index: -1}, "tasks.indices"},
	} {
		_, err := New().Reset(t.Context(), c.task)
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Code != sparkd.CodeInvalid || e.Field != c.field || e.Remedy == "" {
			t.Errorf("%v: %v, want an invalid %s with a remedy", c.task, err, c.field)
		}
	}
}

func FuzzStep(f *testing.F) {
	f.Add(uint16(0), "look")
	f.Add(uint16(1), "go to drawer 1")
	f.Add(uint16(2), " take mug 1 from desk 1\n")
	f.Add(uint16(3), "put mug 1 in/on desk 1")
	f.Add(uint16(4), "")
	f.Add(uint16(5), "LOOK\x00\xff")
	f.Fuzz(func(t *testing.T, game uint16, text string) {
		e := start(t, sparkd.Task{Env: Name, Split: "train", Index: int(game) % 10000})
		before, commands := e.StateHash(), e.menu.commands
		o := step(t, e, text)
		if slices.Contains(commands, strings.TrimFunc(text, isSpace)) {
			if o.Text == nothingHappens {
				t.Fatalf("admissible %q: nothing happens", text)
			}
			return
		}
		if o.Text != nothingHappens || e.StateHash() != before || !slices.Equal(o.Admissible, commands) {
			t.Fatalf("inadmissible %q is answered by %q", text, o.Text)
		}
	})
}
