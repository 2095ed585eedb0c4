package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/env/envtest"
)

func session(fork string) *Session {
	spec := sparkd.DefaultSessionSpec()
	spec.Fork = fork
	return New(&spec)
}

func task(index int) sparkd.Task { return sparkd.Task{Env: "client", Split: "train", Index: index} }

// counters is a client with environments that count, as a trainer's process would drive
// them: it fetches, acts and answers until the session ends.
type counters struct {
	at     map[int]int
	closed []int
	fetch  func(after uint64) ([]sparkd.EnvCall, bool)
	answer func([]sparkd.EnvAnswer) []uint64
}

func (c *counters) run() {
	c.at = map[int]int{}
	for last := uint64(0); ; {
		calls, ended := c.fetch(last)
		var answers []sparkd.EnvAnswer
		for _, call := range calls {
			last = call.ID
			if call.Op == "close" {
				c.closed = append(c.closed, call.Copy)
				delete(c.at, call.Copy)
				continue
			}
			answers = append(answers, c.act(call))
		}
		c.answer(answers)
		if ended {
			return
		}
	}
}

func (c *counters) act(call sparkd.EnvCall) sparkd.EnvAnswer {
	a := sparkd.EnvAnswer{ID: call.ID}
	see := func() *sparkd.Observation {
		at := c.at[call.Copy]
		return &sparkd.Observation{Text: fmt.Sprintf("at %d", at), Goal: "reach 3", Admissible: []string{"up", "down"},
			Done: at == 3, Success: at == 3}
	}
	step := func(action string) *sparkd.Observation {
		switch action {
		case "up":
			c.at[call.Copy]++
		case "down":
			c.at[call.Copy]--
		case "break":
			a.Error = "broken"
		}
		return see()
	}
	switch call.Op {
	case "reset":
		c.at[call.Copy] = call.Task.Index
		a.Observation = see()
	case "step":
		a.Observation = step(*call.Action)
	case "fork":
		c.at[call.Copy] = c.at[call.From]
	case "replay":
		c.at[call.Copy] = call.Task.Index
		a.Observations = []sparkd.Observation{*see()}
		for _, action := range call.Actions {
			a.Observations = append(a.Observations, *step(action))
		}
	}
	return a
}

// drive runs a client of the session until it ends.
func drive(ctx context.Context, s *Session) (c *counters, done chan struct{}) {
	c = &counters{answer: s.Answer, fetch: func(after uint64) ([]sparkd.EnvCall, bool) { return s.Fetch(ctx, after) }}
	done = make(chan struct{})
	go func() { defer close(done); c.run() }()
	return c, done
}

func TestSession(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		s := session(fork)
		c, done := drive(t.Context(), s)
		e, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		see := func(o sparkd.Observation, err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.IsSorted(o.Admissible) {
				t.Errorf("admissible %v", o.Admissible)
			}
			return o.Text
		}
		if got := see(e.Reset(t.Context(), task(1))); got != "at 1" {
			t.Errorf("reset: %s", got)
		}
		if got := see(e.Step(t.Context(), "up")); got != "at 2" {
			t.Errorf("step: %s", got)
		}
		var other sparkd.Env
		if f, ok := e.(sparkd.Forker); ok != (fork == sparkd.ForkNative) {
			t.Fatalf("%s: is a Forker: %v", fork, ok)
		} else if ok {
			if other, err = f.Fork(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			other, _ = s.Open(t.Context())
			seen, err := other.(sparkd.Replayer).Replay(t.Context(), task(1), []string{"up"})
			if err != nil || len(seen) != 2 || seen[1].Text != "at 2" {
				t.Fatalf("replay: %v, %v", seen, err)
			}
		}
		if got := see(other.Step(t.Context(), "up")); got != "at 3" {
			t.Errorf("the copy's step: %s", got)
		}
		if got := see(e.Step(t.Context(), "down")); got != "at 1" {
			t.Errorf("the original's step: %s", got)
		}
		if _, err := e.Step(t.Context(), "break"); sparkd.CodeOf(err) != sparkd.CodeEnv {
			t.Errorf("an error of the client: %v", err)
		}
		_, _ = e.Close(), other.Close()
		s.End()
		<-done
		if slices.Sort(c.closed); !slices.Equal(c.closed, []int{1, 2}) {
			t.Errorf("closed %v", c.closed)
		}
		if _, err := other.Reset(t.Context(), task(1)); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Errorf("a reset after the end: %v", err)
		}
	}
}

// What was fetched and not answered can be fetched again, a close until it was heard of.
func TestFetchAgain(t *testing.T) {
	s := session(sparkd.ForkReplay)
	defer s.End()
	e, _ := s.Open(t.Context())
	answered := make(chan error, 1)
	go func() { _, err := e.Reset(t.Context(), task(7)); answered <- err }()
	id := uint64(0)
	for range 3 {
		calls, _ := s.Fetch(t.Context(), 0)
		if len(calls) != 1 || calls[0].Op != "reset" || calls[0].Task.Index != 7 {
			t.Fatalf("fetched %+v", calls)
		}
		id = calls[0].ID
	}
	if stale := s.Answer([]sparkd.EnvAnswer{{ID: id + 8}, {ID: id, Observation: &sparkd.Observation{}},
		{ID: id}}); !slices.Equal(stale, []uint64{id + 8, id}) {
		t.Errorf("stale answers %v", stale)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	_ = e.Close()
	for i, want := range []int{1, 1, 0, 0} { // the close is the next call
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		after := id - 1 + uint64(i)
		if calls, _ := s.Fetch(ctx, after); len(calls) != want {
			t.Errorf("behind %d: %+v", after, calls)
		}
	}
}

// A client that is silent too long is lost: calls fail, at once from then on, until it
// comes back.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := session(sparkd.ForkReplay)
		e, _ := s.Open(t.Context())
		begin := time.Now()
		_, err := e.Reset(t.Context(), task(0))
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable || time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		if _, err := e.Reset(t.Context(), task(0)); sparkd.CodeOf(err) != sparkd.CodeUnavailable ||
			time.Since(begin) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		_, done := drive(t.Context(), s)
		synctest.Wait()
		if _, err := e.Reset(t.Context(), task(0)); err != nil {
			t.Errorf("the client came back: %v", err)
		}
		time.Sleep(time.Hour) // it keeps fetching: not silent
		if _, err := e.Step(t.Context(), "up"); err != nil {
			t.Error(err)
		}
		s.End()
		<-done
	})
}

func TestStepTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := session(sparkd.ForkReplay)
		e, _ := s.Open(t.Context())
		quit, cancel := context.WithCancel(t.Context())
		go s.Fetch(quit, 1<<62) // alive, but answers nothing
		begin := time.Now()
		_, err := e.Reset(t.Context(), task(0))
		if sparkd.CodeOf(err) != sparkd.CodeDeadline || time.Since(begin) != 300*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := e.Reset(ctx, task(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the caller's deadline: %v", err)
		}
		cancel()
		s.End()
	})
}

// Answers that are none fail the call and leave the copy to a Reset; what can be made
// an observation of the usual form is.
func TestMalformedAnswers(t *testing.T) {
	s := session(sparkd.ForkReplay)
	defer s.End()
	e, _ := s.Open(t.Context())
	last := uint64(0)
	answer := func(a sparkd.EnvAnswer) {
		calls, _ := s.Fetch(t.Context(), last)
		a.ID = calls[0].ID
		last = a.ID
		s.Answer([]sparkd.EnvAnswer{a})
	}
	start := func(n int, a sparkd.EnvAnswer) ([]sparkd.Observation, error) {
		go answer(a)
		if n < 0 {
			o, err := e.Reset(t.Context(), task(0))
			return []sparkd.Observation{o}, err
		}
		return e.(sparkd.Replayer).Replay(t.Context(), task(0), make([]string, n))
	}
	for _, c := range []struct {
		actions int // replayed; -1: a reset
		answer  sparkd.EnvAnswer
	}{
		{-1, sparkd.EnvAnswer{}},
		{-1, sparkd.EnvAnswer{Observations: make([]sparkd.Observation, 1)}},
		{-1, sparkd.EnvAnswer{Observation: &sparkd.Observation{}, Error: "broken"}},
		{1, sparkd.EnvAnswer{}},
		{1, sparkd.EnvAnswer{Observation: &sparkd.Observation{}}},
		{1, sparkd.EnvAnswer{Observations: make([]sparkd.Observation, 1)}},
		{1, sparkd.EnvAnswer{Observations: make([]sparkd.Observation, 5)}},
	} {
		if _, err := start(c.actions, c.answer); sparkd.CodeOf(err) != sparkd.CodeEnv {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := e.Step(t.Context(), "up"); sparkd.CodeOf(err) != sparkd.CodeEnv {
			t.Errorf("a step after %+v: %v", c, err)
		}
	}
	seen, err := start(-1, sparkd.EnvAnswer{Observation: &sparkd.Observation{Success: true,
		Admissible: []string{"b", "a"}}})
	if o := seen[0]; err != nil || o.Success || o.Admissible[0] != "a" {
		t.Errorf("success before the end: %+v, %v", o, err)
	}
	seen, err = start(2, sparkd.EnvAnswer{Observations: []sparkd.Observation{{}, {Done: true}, {Text: "on and on"}}})
	if err != nil || len(seen) != 2 || !seen[1].Done {
		t.Errorf("a replay beyond the end: %+v, %v", seen, err)
	}
}

// Who comes back after a restart of the daemon gets what it asks for, and its answers to
// calls from before are stale.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := session(sparkd.ForkNative)
		e, _ := old.Open(t.Context())
		go func() { _, _ = e.Reset(t.Context(), task(0)) }()
		calls, _ := old.Fetch(t.Context(), 0)
		old.End()
		time.Sleep(time.Second)

		s := session(sparkd.ForkReplay) // by default, as a daemon that restarts does
		want := sparkd.SessionSpec{Fork: sparkd.ForkNative, StepTimeout: 3600, IdleTimeout: 7200}
		s.Agree(&want)
		e, _ = s.Open(t.Context())
		if _, ok := e.(sparkd.Forker); !ok {
			t.Error("the client's copies do not fork any more")
		}
		begin := time.Now()
		failed := make(chan error)
		go func() { _, err := e.Reset(t.Context(), task(0)); failed <- err }()
		synctest.Wait()
		if stale := s.Answer([]sparkd.EnvAnswer{{ID: calls[0].ID,
			Observation: &sparkd.Observation{}}}); len(stale) != 1 {
			t.Errorf("stale: %v", stale)
		}
		if again, _ := s.Fetch(t.Context(), calls[0].ID); len(again) != 1 || again[0].ID <= calls[0].ID {
			t.Errorf("behind the last call of before: %+v", again)
		}
		if err := <-failed; sparkd.CodeOf(err) != sparkd.CodeDeadline || time.Since(begin) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		s.End()
	})
}

// driven is a session with a client, as a source of copies.
type driven struct {
	*Session
	fork string
	done chan struct{}
}

func (d driven) Info() sparkd.EnvInfo {
	info := Remote{}.Info()
	info.Fork, info.MaxSteps = d.fork, 30
	return info
}

func (d driven) Close() error {
	d.End()
	<-d.done
	return nil
}

func TestConformance(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		t.Run(fork, func(t *testing.T) {
			envtest.Run(t, envtest.Options{
				Source: func(t *testing.T) envtest.Source {
					s := session(fork)
					_, done := drive(t.Context(), s)
					return driven{s, fork, done}
				},
				Tasks:  []sparkd.Task{task(0), {Env: "client", Split: "eval", Index: 2}},
				Finish: func(_ *testing.T, at sparkd.Task) []string { return []string{"up", "up", "up"}[at.Index:] },
			})
		})
	}
}
