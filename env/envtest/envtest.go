// Package envtest is the conformance suite of environments: package contract as a test.
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
	"sparkd/env/contract"
)

// Source opens copies of the environment under test; env.Source is one.
type Source = contract.Source

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
	options := contract.Options{
		Source:  func(context.Context) (contract.Source, error) { return o.Source(t), nil },
		Tasks:   func(sparkd.EnvInfo) []sparkd.Task { return o.Tasks },
		Actions: o.Actions, Steps: cmp.Or(o.Steps, 20), Unknown: o.Unknown, Seed: o.Seed,
	}
	if o.Finish != nil {
		options.Finish = func(_ context.Context, task sparkd.Task) ([]string, error) { return o.Finish(t, task), nil }
	}
	report, err := contract.Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		t.Run(c.Name, func(t *testing.T) {
			for i := range c.Faults {
				t.Errorf("seed %d: %v (%s)", report.Seed, &c.Faults[i], c.Faults[i].Remedy)
			}
			if c.State == contract.Skipped {
				t.Skip(c.Note)
			}
		})
	}
}
