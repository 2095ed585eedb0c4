package bench_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
)

// world is an environment to measure.
type world struct {
	name   string
	open   func(context.Context) (sparkd.Env, error)
	tasks  []sparkd.Task
	next   func(o sparkd.Observation, task, step int) string
	steps  int // of a walk
	rounds int // how often all walks are played; the best round counts
	forks  int // of a round, of which there are 3
	copies int // alive at once, for the memory

	walks [][]string             // the actions of each task
	seen  [][]sparkd.Observation // what came of them, the reset's first
}

// depth is how many steps behind the reset a state is copied.
const depth = 20

// cost is what an environment takes.
type cost struct {
	steps float64 // a second
	reset float64 // ms
	fork  float64 // µs
	state float64 // kB that one more living copy takes, in processes below this one too; 0: not known here
}

func (c *cost) print(name string, walks, fork, state map[string]any) {
	bench.Print(name+"_steps_s", c.steps, "steps/s", walks)
	bench.Print(name+"_reset_ms", c.reset, "ms", nil)
	bench.Print(name+"_fork_us", c.fork, "µs", fork)
	if c.state > 0 {
		bench.Print(name+"_state_kb", c.state, "kB", state)
	}
}

// measure draws walks, plays them again and again against the clock, and copies the
// state behind the first one's 20th step.
func measure(t *testing.T, w *world) cost {
	t.Helper()
	w.draw(t)
	e := w.fresh(t)
	defer closeEnv(t, e)
	c := cost{state: w.memory(t, e)}
	var resets, steps []float64
	for range w.rounds {
		var reset, walking time.Duration
		for i, walk := range w.walks {
			began := time.Now()
			w.reset(t, e, i)
			ready := time.Now()
			w.play(t, e, walk)
			reset, walking = reset+ready.Sub(began), walking+time.Since(ready)
		}
		resets, steps = append(resets, reset.Seconds()), append(steps, walking.Seconds())
	}
	count := played(w.walks)
	c.steps = float64(count) / slices.Min(steps)
	c.reset = 1e3 * slices.Min(resets) / float64(len(w.tasks))
	w.reset(t, e, 0)
	w.play(t, e, w.path())
	best, all := bench.Best(3, func() {
		for range w.forks {
			closeEnv(t, w.another(t, e))
		}
	})
	c.fork = 1e6 * best.Seconds() / float64(w.forks)
	c.print(w.name, map[string]any{"tasks": len(w.tasks), "steps": count, "runs_s": few(steps),
		"reset_runs_s": few(resets)},
		map[string]any{"by": way(e), "forks": w.forks, "runs_s": all}, map[string]any{"copies": w.copies})
	return c
}

// few keeps details readable.
func few(runs []float64) []float64 { return runs[:min(5, len(runs))] }

// played counts the steps of walks.
func played(walks [][]string) (n int) {
	for _, walk := range walks {
		n += len(walk)
	}
	return n
}

// path leads to the state that is copied.
func (w *world) path() []string { return w.walks[0][:depth] }

// draw makes the walks. An action that would end the episode is left out, and a walk
// ends there.
func (w *world) draw(t *testing.T) {
	e := w.fresh(t)
	defer closeEnv(t, e)
	for i := range w.tasks {
		o := w.reset(t, e, i)
		seen, walk := []sparkd.Observation{o}, []string(nil)
		for len(walk) < w.steps {
			action := w.next(o, i, len(walk))
			if o = w.step(t, e, action); o.Done {
				break
			}
			walk, seen = append(walk, action), append(seen, o)
		}
		w.walks, w.seen = append(w.walks, walk), append(w.seen, seen)
	}
	if len(w.walks[0]) < depth {
		t.Fatalf("%s: the first walk has %d steps, too few to copy a state at step %d", w.name, len(w.walks[0]), depth)
	}
}

func (w *world) fresh(t *testing.T) sparkd.Env {
	e, err := w.open(t.Context())
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	return e
}

func (w *world) reset(t *testing.T, e sparkd.Env, task int) sparkd.Observation {
	o, err := e.Reset(t.Context(), w.tasks[task])
	if err != nil {
		t.Fatalf("%s: %v: %v", w.name, w.tasks[task], err)
	}
	return o
}

func (w *world) step(t *testing.T, e sparkd.Env, action string) sparkd.Observation {
	o, err := e.Step(t.Context(), action)
	if err != nil {
		t.Fatalf("%s: %q: %v", w.name, action, err)
	}
	return o
}

func (w *world) play(t *testing.T, e sparkd.Env, actions []string) {
	for _, action := range actions {
		w.step(t, e, action)
	}
}

// another copies e, which is at the end of the path, as the sampler does.
func (w *world) another(t *testing.T, e sparkd.Env) (c sparkd.Env) {
	var err error
	if from, ok := e.(sparkd.Forker); ok {
		if c, err = from.Fork(t.Context()); err != nil {
			t.Fatalf("%s: fork: %v", w.name, err)
		}
		return c
	}
	c = w.fresh(t)
	switch from := e.(type) {
	case sparkd.Snapshotter:
		var state []byte
		if state, err = from.Snapshot(t.Context()); err == nil {
			err = c.(sparkd.Snapshotter).Restore(t.Context(), w.tasks[0], state)
		}
	case sparkd.Replayer:
		_, err = c.(sparkd.Replayer).Replay(t.Context(), w.tasks[0], w.path())
	default:
		w.reset(t, c, 0)
		w.play(t, c, w.path())
	}
	if err != nil {
		t.Fatalf("%s: copy: %v", w.name, err)
	}
	return c
}

// way says how another copies.
func way(e sparkd.Env) string {
	switch e.(type) {
	case sparkd.Forker:
		return "native copy"
	case sparkd.Snapshotter:
		return "snapshot and restore"
	case sparkd.Replayer:
		return "replay of 20 steps in one call"
	}
	return "replay of 20 steps"
}

// memory returns the kB that one more living copy takes, each a step beyond the state
// that it was made in.
func (w *world) memory(t *testing.T, e sparkd.Env) float64 {
	w.reset(t, e, 0)
	w.play(t, e, w.path())
	children, known := resident(t)
	if !known {
		return 0
	}
	before := heap() + children
	copies := make([]sparkd.Env, w.copies-1)
	for i := range copies {
		copies[i] = w.another(t, e)
		w.step(t, copies[i], w.path()[0])
	}
	children, _ = resident(t)
	after := heap() + children
	for _, c := range copies {
		closeEnv(t, c)
	}
	return float64(after-before) / 1e3 / float64(len(copies))
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func closeEnv(t *testing.T, e sparkd.Env) {
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
