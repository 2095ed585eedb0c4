package envtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"sparkd"
)

// info checks that what the source declares is what its copies are.
func (s *suite) info(t *testing.T) {
	info := s.source.Info()
	if info.Name == "" || info.About == "" || info.MaxSteps < 1 || len(info.Splits) == 0 {
		t.Errorf("info lacks a name, words about it, a step limit or splits: %+v", info)
	}
	for split, size := range info.Splits {
		if split == "" || size < 1 && size != sparkd.Unbounded {
			t.Errorf("split %q has %d tasks", split, size)
		}
	}
	for _, task := range s.Tasks {
		if size, ok := info.Splits[task.Split]; !ok || task.Env != info.Name ||
			size != sparkd.Unbounded && task.Index >= size {
			t.Errorf("%v is no task of %s with splits %v", task, info.Name, info.Splits)
		}
	}
	e, want := s.open(t), sparkd.ForkReplay
	switch e.(type) {
	case sparkd.Forker:
		want = sparkd.ForkNative
	case sparkd.Snapshotter:
		want = sparkd.ForkSnapshot
	}
	if info.Fork != want {
		t.Errorf("declares fork = %q, but %T means %q", info.Fork, e, want)
	}
}

// repeats checks that the same actions give the same observations, in another copy and in the same one once more.
func (s *suite) repeats(t *testing.T, ref *walk) {
	e := s.open(t)
	for _, who := range []string{"a second copy", "the same copy, reset"} {
		o := reset(t, e, ref.task)
		s.same(t, who, ref, 0, &o)
		if o.Goal != ref.observations[0].Goal {
			t.Errorf("%s: goal %q, then %q", who, ref.observations[0].Goal, o.Goal)
		}
		s.follow(t, who, e, ref, 0, len(ref.actions))
	}
}

// copies checks, at every few steps, that stepping a copy leaves its parent alone, that
// two copies with the same actions agree, and that a copy outlives its parent's steps.
func (s *suite) copies(t *testing.T, ref *walk) {
	parent := s.open(t)
	reset(t, parent, ref.task)
	at := 0
	for to := 0; to < len(ref.actions); to += s.Every {
		s.follow(t, "the parent of copies", parent, ref, at, to)
		at = to
		astray, twin := s.fork(t, parent, ref, at), s.fork(t, parent, ref, at)
		path := &walk{task: ref.task, observations: []sparkd.Observation{ref.observations[at]}}
		s.grow(t, astray, path, rand.New(rand.NewPCG(s.Seed, uint64(1000+at))), s.Every)
		end := min(at+s.Every, len(ref.actions))
		s.follow(t, "a copy beside one that went astray", twin, ref, at, end)
		if end < len(ref.actions) {
			s.follow(t, "a copy of a copy", s.fork(t, twin, ref, end), ref, end, end+1)
		}
	}
	s.follow(t, "a parent whose copies went astray", parent, ref, at, len(ref.actions))
}

// fork copies e, which is at step at of the reference, in the way that the environment declares.
func (s *suite) fork(t *testing.T, e sparkd.Env, ref *walk, at int) sparkd.Env {
	t.Helper()
	if f, ok := e.(sparkd.Forker); ok {
		c, err := f.Fork(t.Context())
		if err != nil {
			t.Fatalf("fork after %d steps: %v", at, err)
		}
		return closed(t, c)
	}
	c := s.open(t)
	if from, ok := e.(sparkd.Snapshotter); ok {
		state, err := from.Snapshot(t.Context())
		if err != nil {
			t.Fatalf("snapshot after %d steps: %v", at, err)
		}
		if err := c.(sparkd.Snapshotter).Restore(t.Context(), ref.task, state); err != nil {
			t.Fatalf("restore after %d steps: %v", at, err)
		}
		clear(state) // nobody may hold on to it
		return c
	}
	o := reset(t, c, ref.task)
	s.same(t, "a replay", ref, 0, &o)
	s.follow(t, "a replay", c, ref, 0, at)
	return c
}

// replays checks that Replay is a reset and the steps, and leaves the copy where they do.
func (s *suite) replays(t *testing.T, ref *walk) {
	r, ok := s.open(t).(sparkd.Replayer)
	if !ok {
		return
	}
	for _, n := range []int{0, len(ref.actions) / 2, len(ref.actions)} {
		seen, err := r.Replay(t.Context(), ref.task, ref.actions[:n])
		if err != nil {
			t.Fatalf("replay of %d actions: %v", n, err)
		}
		if len(seen) != n+1 {
			t.Fatalf("replay of %d actions gave %d observations", n, len(seen))
		}
		for i := range seen {
			wellFormed(t, seen[i])
			s.same(t, "a replay in one call", ref, i, &seen[i])
		}
		s.follow(t, "after a replay", r, ref, n, len(ref.actions))
	}
	if ref.last().Done {
		seen, err := r.Replay(t.Context(), ref.task, append(ref.actions[:len(ref.actions):len(ref.actions)], s.Unknown))
		if err != nil || len(seen) != len(ref.observations) {
			t.Fatalf("a replay beyond the end gave %d observations, %v; want those up to the end, %d", len(seen),
				err, len(ref.observations))
		}
	}
}

// unknown checks that text that is no action is answered.
func (s *suite) unknown(t *testing.T, task sparkd.Task) {
	e := s.open(t)
	reset(t, e, task)
	for _, text := range []string{s.Unknown, "", "LOOK\x00\n\t\"'\\ ünïcödé 🦊", "{\"op\":\"close\"}"} {
		o, err := e.Step(t.Context(), text)
		if err != nil {
			t.Fatalf("step %q: %v; want an observation", text, err)
		}
		if wellFormed(t, o).Done {
			return
		}
	}
}

// ends checks the end of an episode: it is final for steps, and not for a reset.
func (s *suite) ends(t *testing.T, ref *walk) {
	w := ref
	e := s.open(t)
	if s.Finish != nil {
		w = &walk{task: ref.task, actions: s.Finish(t, ref.task)}
	} else if !ref.last().Done {
		t.Skip("the walk did not reach an end, and Options.Finish is not set")
	}
	var o sparkd.Observation
	reset(t, e, w.task)
	for i, action := range w.actions {
		if o = step(t, e, action); o.Done != (i == len(w.actions)-1) {
			t.Fatalf("step %d of %d, %q: done is %v", i+1, len(w.actions), action, o.Done)
		}
	}
	_, err := e.Step(t.Context(), s.Unknown)
	refused(t, "a step after the end", err, sparkd.CodeEnv)
	o = reset(t, e, w.task)
	s.same(t, "a reset after the end", ref, 0, &o)
}

// misuse checks what a caller can get wrong.
func (s *suite) misuse(t *testing.T) {
	e := s.open(t)
	_, err := e.Step(t.Context(), s.Unknown)
	refused(t, "a step before any reset", err, sparkd.CodeEnv)
	task := s.Tasks[0]
	task.Split = "no such split"
	var typed *sparkd.Error
	if _, err := e.Reset(t.Context(), task); !errors.As(err, &typed) ||
		typed.Code != sparkd.CodeInvalid || typed.Remedy == "" {
		t.Errorf("a split that does not exist: %v, want an error of code %q with a remedy", err, sparkd.CodeInvalid)
	}
	reset(t, e, s.Tasks[0])
}

func refused(t *testing.T, what string, err error, code sparkd.Code) {
	t.Helper()
	if sparkd.CodeOf(err) != code {
		t.Errorf("%s: %v, want an error of code %q", what, err, code)
	}
}

// cancellation checks that a call whose context has ended fails, and hurts nobody.
func (s *suite) cancellation(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	e, other := s.open(t), s.open(t)
	first := reset(t, other, s.Tasks[0])
	_, err := e.Reset(canceled, s.Tasks[0])
	refused(t, "reset", err, sparkd.CodeCanceled)
	reset(t, e, s.Tasks[0])
	_, err = e.Step(canceled, s.Unknown)
	refused(t, "step", err, sparkd.CodeCanceled)
	if o := reset(t, e, s.Tasks[0]); o.Hash() != first.Hash() {
		t.Errorf("after a canceled step a reset gives %+v, want %+v", o, first)
	}
	step(t, other, s.Unknown)
}
