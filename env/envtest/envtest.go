// Package envtest is the conformance suite of environments: what the sampler takes for
// granted about a sparkd.Env and about the ways to copy its state, checked on a real one.
//
// An environment's own test calls [Run]:
//
//	envtest.Run(t, envtest.Options{
//		Source: func(t *testing.T) envtest.Source { return open(t) },
//		Tasks:  []sparkd.Task{{Env: "chess", Split: "train", Index: 3}},
//	})
package envtest

import (
	"cmp"
	"context"
	"math/rand/v2"
	"testing"

	"sparkd"
)

// Source opens copies of the environment under test; env.Source is one.
type Source interface {
	Info() sparkd.EnvInfo
	Open(ctx context.Context) (sparkd.Env, error)
	Close() error
}

// Options say what is tested and how it is played.
type Options struct {
	// Source opens the environment. Run closes it and then counts what is left.
	Source func(t *testing.T) Source
	// Tasks are played one after the other. At least one.
	Tasks []sparkd.Task
	// Actions draws the next action of a walk. nil: one of the admissible actions.
	Actions func(rng *rand.Rand, o sparkd.Observation) string
	// Steps is the length of a walk; 0 is 20. A walk ends before where the episode does.
	Steps int
	// Every is the distance between the states that are copied; 0 is 5 steps.
	Every int
	// Finish returns actions that end a task. nil: the end of an episode is checked only where a walk runs into one.
	Finish func(t *testing.T, task sparkd.Task) []string
	// Unknown is text that is no action here; "" is "frobnicate the xyzzy".
	Unknown string
	// Seed makes the walks; it is printed with every failure.
	Seed uint64
}

// Run checks one environment. It counts goroutines, open files and child processes before
// and after, so nothing else may run beside it: no t.Parallel.
func Run(t *testing.T, o Options) {
	t.Helper()
	if len(o.Tasks) == 0 || o.Source == nil {
		t.Fatal("envtest: Options.Source and Options.Tasks are needed")
	}
	o = o.withDefaults()
	before := take()
	s := suite{Options: o, source: o.Source(t)}
	t.Run("info", s.info)
	for _, task := range o.Tasks {
		t.Run(task.String(), func(t *testing.T) { s.play(t, task) })
	}
	t.Run("misuse", s.misuse)
	t.Run("cancellation", s.cancellation)
	if err := s.source.Close(); err != nil {
		t.Errorf("closing the source: %v", err)
	}
	before.left(t)
}

func (o Options) withDefaults() Options {
	o.Steps, o.Every = cmp.Or(o.Steps, 20), cmp.Or(o.Every, 5)
	o.Unknown = cmp.Or(o.Unknown, "frobnicate the xyzzy")
	if o.Actions == nil {
		o.Actions = func(rng *rand.Rand, seen sparkd.Observation) string {
			if len(seen.Admissible) == 0 {
				return "look"
			}
			return seen.Admissible[rng.IntN(len(seen.Admissible))]
		}
	}
	return o
}

// suite is one run over one source.
type suite struct {
	Options
	source Source
}

// play checks everything that depends on the task.
func (s *suite) play(t *testing.T, task sparkd.Task) {
	ref := s.reference(t, task)
	t.Run("repeats itself", func(t *testing.T) { s.repeats(t, ref) })
	t.Run("copies its state", func(t *testing.T) { s.copies(t, ref) })
	t.Run("replays in one call", func(t *testing.T) { s.replays(t, ref) })
	t.Run("answers unknown text", func(t *testing.T) { s.unknown(t, task) })
	t.Run("ends", func(t *testing.T) { s.ends(t, ref) })
}

// open returns a fresh copy that the test closes.
func (s *suite) open(t *testing.T) sparkd.Env {
	t.Helper()
	e, err := s.source.Open(t.Context())
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return closed(t, e)
}

// closed closes e at the end of the test.
func closed(t *testing.T, e sparkd.Env) sparkd.Env {
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}
