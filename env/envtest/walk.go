package envtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// walk is a path through a task: observations[0] is that of the reset, observations[i] the answer to actions[i-1].
type walk struct {
	task         sparkd.Task
	actions      []string
	observations []sparkd.Observation
}

func (w *walk) last() *sparkd.Observation { return &w.observations[len(w.observations)-1] }

// reference walks the task once; all later walks are compared with it.
func (s *suite) reference(t *testing.T, task sparkd.Task) *walk {
	t.Helper()
	e := s.open(t)
	w := &walk{task: task, observations: []sparkd.Observation{reset(t, e, task)}}
	if first := w.observations[0]; first.Text == "" || first.Done {
		t.Fatalf("the first observation is %+v, want text and an open episode", first)
	}
	s.grow(t, e, w, rand.New(rand.NewPCG(s.Seed, uint64(task.Index))), s.Steps)
	return w
}

// grow walks on from the end of w.
func (s *suite) grow(t *testing.T, e sparkd.Env, w *walk, rng *rand.Rand, steps int) {
	t.Helper()
	for i := 0; i < steps && !w.last().Done; i++ {
		action := s.Actions(rng, *w.last())
		o := step(t, e, action)
		w.actions, w.observations = append(w.actions, action), append(w.observations, o)
	}
}

// follow repeats the actions of w from step on and compares every answer.
func (s *suite) follow(t *testing.T, who string, e sparkd.Env, w *walk, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		o := step(t, e, w.actions[i])
		s.same(t, who, w, i+1, &o)
	}
}

// same compares an observation with that of step i of the reference.
func (s *suite) same(t *testing.T, who string, w *walk, i int, o *sparkd.Observation) {
	t.Helper()
	if want := &w.observations[i]; o.Hash() != want.Hash() {
		t.Fatalf("%s, seed %d: another observation after %d steps %q:\n%+v\nthe first walk saw\n%+v", who, s.Seed, i,
			w.actions[:i], *o, *want)
	}
}

func reset(t *testing.T, e sparkd.Env, task sparkd.Task) sparkd.Observation {
	t.Helper()
	o, err := e.Reset(t.Context(), task)
	if err != nil {
		t.Fatalf("reset to %v: %v", task, err)
	}
	return wellFormed(t, o)
}

func step(t *testing.T, e sparkd.Env, action string) sparkd.Observation {
	t.Helper()
	o, err := e.Step(t.Context(), action)
	if err != nil {
		t.Fatalf("step %q: %v", action, err)
	}
	return wellFormed(t, o)
}

func wellFormed(t *testing.T, o sparkd.Observation) sparkd.Observation {
	t.Helper()
	switch {
	case math.IsNaN(o.Reward) || math.IsInf(o.Reward, 0):
		t.Fatalf("a reward of %v", o.Reward)
	case !slices.IsSorted(o.Admissible):
		t.Fatalf("admissible actions are not sorted: %q", o.Admissible)
	case o.Success && !o.Done:
		t.Fatal("success without the end of the episode")
	}
	return o
}
