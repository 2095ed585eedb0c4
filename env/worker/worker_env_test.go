package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/envtest"
)

// options are those of the worker in worker_test.go.
func options(pairs ...string) Options {
	o := Options{Command: []string{os.Args[0], "worker"}, Workers: 2,
		Options: map[string]string{"fork": "replay", "goal": "100"}}
	for i := 0; i < len(pairs); i += 2 {
		o.Options[pairs[i]] = pairs[i+1]
	}
	return o
}

func open(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := Open(t.Context(), "line", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// begin opens a copy in walk index.
func begin(t *testing.T, s *Source, index int) sparkd.Env {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reset(t.Context(), task0(index)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func task0(index int) sparkd.Task { return sparkd.Task{Env: "line", Split: "all", Index: index} }

// step acts and wants to be at a place after so many steps.
func step(t *testing.T, e sparkd.Env, action string, index, at, steps int) {
	t.Helper()
	o, err := e.Step(t.Context(), action)
	if want := fmt.Sprintf("at %d of walk %d after %d steps", at, index, steps); err != nil || o.Text != want {
		t.Fatalf("%q, %v; want %q", o.Text, err, want)
	}
}

// busy returns when a call of e has a place.
func busy(s *Source, e sparkd.Env) {
	for {
		s.pool.mu.Lock()
		pl := e.(*env).place
		yes := pl != nil && pl.busy
		s.pool.mu.Unlock()
		if yes {
			return
		}
		runtime.Gosched()
	}
}

// want checks an error's code, field and words.
func want(t *testing.T, err error, code sparkd.Code, field, words string) {
	t.Helper()
	var e *sparkd.Error
	if !errors.As(err, &e) || e.Code != code || e.Field != field ||
		!strings.Contains(e.Message, words) || e.Remedy == "" {
		t.Errorf("%#v\nwant code %q, field %q, a remedy and the words %q", err, code, field, words)
	}
}

func TestConformance(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkSnapshot, sparkd.ForkReplay} {
		for _, replay := range []string{"yes", "no"} {
			for _, sessions := range []string{"1", "3"} {
				t.Run(fmt.Sprintf("%s/replay %s/sessions %s", fork, replay, sessions), func(t *testing.T) {
					envtest.Run(t, envtest.Options{
						Source: func(t *testing.T) envtest.Source {
							s, err := Open(t.Context(), "line",
								options("fork", fork, "replay", replay, "sessions", sessions, "goal", "15"))
							if err != nil {
								t.Fatal(err)
							}
							return s
						},
						Tasks: []sparkd.Task{task0(0), task0(9)},
						Finish: func(_ *testing.T, task sparkd.Task) []string {
							return []string{"1", fmt.Sprint(14 - task.Index)}
						},
						Steps: 23,
						Seed:  5,
						Actions: func(rng *rand.Rand, o sparkd.Observation) string {
							return append(o.Admissible, "jump")[rng.IntN(len(o.Admissible)+1)]
						},
					})
				})
			}
		}
	}
}

// Many more copies than places, all at once, each on its own way.
func TestMoreCopiesThanPlaces(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkSnapshot, sparkd.ForkReplay} {
		t.Run(fork, func(t *testing.T) {
			s := open(t, options("fork", fork, "replay", "yes", "sessions", "2"))
			var all sync.WaitGroup
			for i := range 24 {
				e := begin(t, s, i)
				all.Go(func() {
					for n := 1; n <= 10; n++ {
						o, err := e.Step(t.Context(), "1")
						if want := fmt.Sprintf("at %d of walk %d after %d steps", i+n, i, n); err != nil ||
							o.Text != want {
							t.Errorf("%q, %v; want %q", o.Text, err, want)
							return
						}
					}
				})
			}
			all.Wait()
			if got := s.Stats(); got.Started != 2 || got.Evicted < 20 || got.Rebuilt == 0 || got.Diverged != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A round of a tree: all leaves fork and step, side by side, with one place in all.
func TestForksWithOnePlace(t *testing.T) {
	o := options("fork", "native")
	o.Workers = 1
	s := open(t, o)
	leaves := []sparkd.Env{begin(t, s, 0)}
	for round := 1; round <= 4; round++ {
		var next []sparkd.Env
		for _, e := range leaves {
			f, err := e.(sparkd.Forker).Fork(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			step(t, f, "1", 0, round, round)
			next = append(next, e, f)
			step(t, e, "1", 0, round, round)
		}
		leaves = next
	}
	if got := s.Stats(); len(leaves) != 16 || got.Started != 1 || got.Diverged != 0 {
		t.Errorf("%d leaves, %+v", len(leaves), got)
	}
}

// A snapshot shortens what is repeated after an eviction.
func TestRebuildFromSnapshot(t *testing.T) {
	o := options("fork", "snapshot")
	o.Workers = 1
	s := open(t, o)
	e := begin(t, s, 0)
	for n := 1; n <= 5; n++ {
		step(t, e, "1", 0, n, n)
	}
	if _, err := e.(sparkd.Snapshotter).Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	step(t, e, "1", 0, 6, 6)
	begin(t, s, 1)
	step(t, e, "1", 0, 7, 7)
	if got := s.Stats(); got != (Stats{Started: 1, Evicted: 2, Rebuilt: 1, ReplayedSteps: 1}) {
		t.Errorf("%+v", got)
	}
}

// What is waiting for a place when its context ends leaves the queue.
func TestWaitingEndsWithItsContext(t *testing.T) {
	o := options()
	o.Workers, o.CallTimeout = 1, time.Hour
	s := open(t, o)
	e, waits := begin(t, s, 0), begin(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	hangs := make(chan error)
	go func() {
		_, err := e.Step(ctx, "hang")
		hangs <- err
	}()
	busy(s, e)
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if _, err := waits.Step(short, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of its context", err)
	}
	cancel()
	if err := <-hangs; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the cancellation", err)
	}
	if n := len(s.pool.waiting); n != 0 {
		t.Errorf("%d are still waiting", n)
	}
}

// A call that its caller left behind does no harm: the copy is rebuilt without it.
func TestAbandonedCall(t *testing.T) {
	o := options()
	o.CallTimeout = 200 * time.Millisecond
	s := open(t, o)
	e := begin(t, s, 0)
	step(t, e, "1", 0, 1, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Step(ctx, "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, want the end of its context", err)
	}
	step(t, e, "1", 0, 2, 2) // in the other worker, at once
	if got := s.Stats(); got.Started != 2 || got.Rebuilt != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDivergence(t *testing.T) {
	o := options("fault", "drift")
	o.Workers = 1
	s := open(t, o)
	e := begin(t, s, 0)
	if _, err := e.Step(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	_, err := e.Step(t.Context(), "exit 3")
	want(t, err, sparkd.CodeEnv, "env.line.command", "exit status 3; its last words: cannot go on")
	_, err = e.Step(t.Context(), "1")
	want(t, err, sparkd.CodeDiverged, "", "other observations")
	if got := s.Stats(); got.Diverged != 1 {
		t.Errorf("%+v", got)
	}
}

func TestNames(t *testing.T) {
	s := &Source{pool: &pool{hello: hello{Names: map[string][]string{"train": {"boil/0", "boil/1",
		"melt/0", "freeze/0"}}}}}
	if i, _, ok := s.Lookup("train", "melt/0"); !ok || i != 2 {
		t.Errorf("melt/0 is task %d, %v", i, ok)
	}
	if _, near, ok := s.Lookup("train", "boil/7"); ok || fmt.Sprint(near) != "[boil/0 boil/1 melt/0]" {
		t.Errorf("near boil/7: %q, %v", near, ok)
	}
	if _, near, ok := s.Lookup("dev", "boil/0"); ok || len(near) != 0 {
		t.Errorf("in a split without names: %q, %v", near, ok)
	}
}

// What the protocol costs: the worker's own work is next to nothing.
func BenchmarkStep(b *testing.B) {
	o := options()
	o.Memory = 1000
	s, err := Open(b.Context(), "line", o)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	e, err := s.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if _, err := e.Reset(b.Context(), task0(0)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.Step(b.Context(), "look"); err != nil {
			b.Fatal(err)
		}
	}
}

// Where copies take each other's sessions all the time, the log names the settings; not at every step.
func TestCrowd(t *testing.T) {
	o := options()
	o.Workers = 1
	var said []string
	o.Log = func(line string) { said = append(said, line) }
	s := open(t, o)
	e, other := begin(t, s, 0), begin(t, s, 50)
	for i := range 20 {
		step(t, e, "1", 0, i+1, i+1)
		step(t, other, "1", 50, 50+i+1, i+1)
	}
	if len(said) != 1 || !strings.Contains(said[0], "raise env.line.workers (1) or the sessions") {
		t.Errorf("logged %q", said)
	}
}

// Where every worker answers twice, the call that meets none that lives says why.
func TestAnswersTwice(t *testing.T) {
	e := begin(t, open(t, options()), 0)
	step(t, e, "twice", 0, 0, 1)
	_, err := e.Step(t.Context(), "1")
	want(t, err, sparkd.CodeEnv, "env.line.command", "3 times before it took a call; the worker")
	want(t, err, sparkd.CodeEnv, "env.line.command", "without being asked")
}
