package bench_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
	"sparkd/branching"
	"sparkd/sampler"
)

// TestFigures measures what the program is for: how little a tree costs. The figures of
// the embedded engine alone are with its package.
func TestFigures(t *testing.T) {
	bench.Wanted(t)
	bench.Print("machine", float64(runtime.NumCPU()), "cores", bench.Machine())
	t.Run("household", figureHousehold)
	t.Run("overhead", figureOverhead)
	t.Run("household store", figureStore)
	t.Run("prefill", figurePrefill)
	t.Run("sharing", figureSharing)
}

// published is SPARK's request (M 4, N 8, B 2) for the household.
func published(maxSteps, maxTokens int) *sparkd.Spec {
	spec := branching.DefaultSpec()
	spec.MaxSteps = maxSteps
	spec.Sampling.MaxTokens = maxTokens
	return &spec
}

// grow grows a tree for each of the tasks from on, parallel at a time.
func grow(t *testing.T, d sampler.Deps, spec *sparkd.Spec, from, count, parallel int) []*sparkd.Tree {
	t.Helper()
	d.SampleTimeout, d.EnvTimeout = 10*time.Minute, time.Minute
	trees := make([]*sparkd.Tree, count)
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i := range trees {
		task := sparkd.Task{Env: "household", Split: "train", Index: from + i}
		trees[i] = sampler.NewTree("bench", spec, task, sparkd.NewID(time.Now()), time.Now())
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := sampler.Grow(t.Context(), d, spec, trees[i]); err != nil {
				t.Errorf("%s: %v", task, err)
			}
		})
	}
	wg.Wait()
	for _, tree := range trees {
		if tree.State != sparkd.TreeDone || tree.Stats.Failed > 0 {
			t.Fatalf("%s ended %s with %d broken branches: %v", tree.Task, tree.State, tree.Stats.Failed, tree.Error)
		}
	}
	return trees
}

// total returns the sums over trees.
func total(trees []*sparkd.Tree) sparkd.Stats {
	var s sparkd.Stats
	for _, t := range trees {
		s.Add(t.Stats)
	}
	return s
}

// nowhere is a Commit that stores nothing.
func nowhere(context.Context, *sparkd.Tree, int) error { return nil }
