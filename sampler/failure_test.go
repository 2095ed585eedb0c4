package sampler

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/branching"
)

// An engine failure that passes leaves no trace in the tree.
func TestGrowRetriesTheEngineOnce(t *testing.T) {
	want := newBench().grow(t)
	for _, code := range []sparkd.Code{sparkd.CodeEngine, sparkd.CodeUnavailable} {
		b := newBench()
		var calls atomic.Int64
		b.engine.fault = func(context.Context, sparkd.SampleRequest) error {
			if calls.Add(1) == 1 {
				return sparkd.Errorf(code, "hiccup")
			}
			return nil
		}
		if got := b.grow(t); !same(t, got, want) {
			t.Errorf("%s: the tree differs", code)
		}
	}
}

// Whatever the engine does wrong makes failed nodes, and a tree in which nothing
// survived fails with the engine's error.
func TestGrowWithoutAnEngine(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*fakeEngine)
		code  sparkd.Code
		calls int64 // of Sample, in each try of the policy
	}{
		"down": {func(e *fakeEngine) { e.fault = fails(sparkd.Errorf(sparkd.CodeEngine, "no")) },
			sparkd.CodeEngine, 2},
		"shut down": {func(e *fakeEngine) { e.fault = fails(sparkd.Errorf(sparkd.CodeUnavailable, "no")) },
			sparkd.CodeUnavailable, 2},
		"capacity": {func(e *fakeEngine) { e.fault = fails(sparkd.Errorf(sparkd.CodeCapacity, "no")) },
			sparkd.CodeCapacity, 1},
		"untyped": {func(e *fakeEngine) { e.fault = fails(errors.New("no")) }, sparkd.CodeEngine, 1},
		"panics": {func(e *fakeEngine) { e.fault = func(context.Context, sparkd.SampleRequest) error { panic("no") } },
			sparkd.CodeEngine, 1},
		"too few": {func(e *fakeEngine) { e.spoil = func(r *sparkd.SampleResult) { r.Samples = r.Samples[1:] } },
			sparkd.CodeEngine, 1},
		"not a number": {func(e *fakeEngine) {
			e.spoil = func(r *sparkd.SampleResult) {
				spoilAll(r, func(s *sparkd.Sample) { s.Logprobs[0] = float32(math.NaN()) })
			}
		}, sparkd.CodeEngine, 1},
		"infinite margin": {func(e *fakeEngine) {
			e.spoil = func(r *sparkd.SampleResult) {
				spoilAll(r, func(s *sparkd.Sample) { s.Margins[0] = float32(math.Inf(-1)) })
			}
		}, sparkd.CodeEngine, 1},
		"lengths": {func(e *fakeEngine) {
			e.spoil = func(r *sparkd.SampleResult) {
				spoilAll(r,
					func(s *sparkd.Sample) { s.Logprobs = s.Logprobs[1:] })
			}
		}, sparkd.CodeEngine, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			c.set(b.engine)
			var calls atomic.Int64
			fault := b.engine.fault
			b.engine.fault = func(ctx context.Context, r sparkd.SampleRequest) error {
				calls.Add(1)
				if fault == nil {
					return nil
				}
				return fault(ctx, r)
			}
			tree := b.grow(t)
			if tree.State != sparkd.TreeFailed || sparkd.CodeOf(tree.Error) != c.code {
				t.Errorf("state %s, error %v", tree.State, tree.Error)
			}
			if want := branching.MaxAttempts * *b.spec.Policy.Roots; tree.Stats.Failed != want ||
				len(tree.Nodes) != want+1 || tree.Stats.Leaves != 0 {
				t.Errorf("stats %+v, want %d failed", tree.Stats, want)
			}
			if want := branching.MaxAttempts * c.calls; calls.Load() != want {
				t.Errorf("%d calls, want %d", calls.Load(), want)
			}
		})
	}
}

func fails(err error) func(context.Context, sparkd.SampleRequest) error {
	return func(context.Context, sparkd.SampleRequest) error { return err }
}

func spoilAll(r *sparkd.SampleResult, spoil func(*sparkd.Sample)) {
	for i := range r.Samples {
		spoil(&r.Samples[i])
	}
}

// A copy of the environment that breaks costs one branch; the others go on.
func TestGrowWithABreakingEnvironment(t *testing.T) {
	for name, fault := range map[string]func() error{
		"error": func() error { return errors.New("the roof fell in") },
		"panic": func() error { panic("the roof fell in") },
		"typed": func() error { return sparkd.Errorf(sparkd.CodeEnv, "the roof fell in") },
		"own end": func() error {
			return sparkd.Errorf(sparkd.CodeEnv, "the roof fell in: %v",
				context.DeadlineExceeded)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.world.fault = func(_ context.Context, c *counter, _ string) error {
				if c.copy == 1 && c.step == 1 { // the first root's; a rebuilt copy has another number
					return fault()
				}
				return nil
			}
			tree := b.grow(t)
			if tree.State != sparkd.TreeDone || tree.Stats.Failed != 1 || tree.Stats.Diverged != 0 {
				t.Fatalf("state %s, stats %+v", tree.State, tree.Stats)
			}
			for _, n := range tree.Nodes {
				if !n.Failed() {
					continue
				}
				if n.Parent != 1 || n.Error.Code != sparkd.CodeEnv ||
					!strings.Contains(n.Error.Message, "the roof fell in") {
					t.Errorf("failed node %+v, error %v", n, n.Error)
				}
				if siblings := tree.Children()[n.Parent]; len(siblings) < 2 || tree.Nodes[siblings[1]].Failed() {
					t.Errorf("node %d was not expanded again", n.Parent)
				}
			}
		})
	}
}

// The world that cannot be opened, reset or rebuilt fails the tree before it has nodes.
func TestGrowWithoutAnEnvironment(t *testing.T) {
	for name, set := range map[string]func(*bench){
		"open": func(b *bench) {
			b.OpenEnv = func(context.Context) (sparkd.Env,
				error) {
				return nil, errors.New("no")
			}
		},
		"panic": func(b *bench) { b.OpenEnv = func(context.Context) (sparkd.Env, error) { panic("no") } },
		"nil":   func(b *bench) { b.OpenEnv = func(context.Context) (sparkd.Env, error) { return nil, nil } },
		"reset": func(b *bench) { b.world.resetFault = func() error { return errors.New("no") } },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			set(b)
			tree := b.grow(t)
			if tree.State != sparkd.TreeFailed || sparkd.CodeOf(tree.Error) != sparkd.CodeEnv ||
				len(tree.Nodes) != 0 || len(b.commits) != 1 {
				t.Errorf("state %s, error %v, %d nodes, %d commits", tree.State, tree.Error,
					len(tree.Nodes), len(b.commits))
			}
		})
	}
}

// A replay that gives other observations is a failed branch, not a reward of 0, and its
// place in the budget is free again.
func TestGrowDiverging(t *testing.T) {
	for _, how := range []string{"replay", "replay at once"} {
		b := newBench()
		b.world.forks, b.world.diverges = how, true
		b.world.goal = 100
		b.spec.Policy = sparkd.Policy{Name: "random", Roots: new(1), Probability: new(1.0)}
		b.spec.Budget.Leaves = 4
		tree := b.grow(t)
		if tree.State != sparkd.TreeDone || tree.Stats.Diverged == 0 || tree.Stats.Failed != tree.Stats.Diverged {
			t.Fatalf("%s: state %s, stats %+v", how, tree.State, tree.Stats)
		}
		asked := 0
		for _, n := range tree.Nodes[1:] {
			if !n.Failed() {
				continue
			}
			asked++
			steps := 2 // up to the first difference
			if how == "replay at once" {
				steps = n.Depth - 1
			}
			if n.Error.Code != sparkd.CodeDiverged || n.Depth <= 2 || n.ReplaySteps != steps {
				t.Errorf("%s: node %d at depth %d: %v after %d steps", how, n.ID, n.Depth, n.Error, n.ReplaySteps)
			}
		}
		if asked <= b.spec.Budget.Leaves {
			t.Errorf("%s: %d diverged forks: their places were not free again", how, asked)
		}
	}
}

// An engine or environment that hangs costs a deadline and a branch, whether or not it
// listens to its context, and is closed.
func TestGrowDeadlines(t *testing.T) {
	for name, c := range map[string]struct {
		hang func(ctx context.Context, until <-chan struct{})
	}{
		"listens": {func(ctx context.Context, _ <-chan struct{}) { <-ctx.Done() }},
		"deaf":    {func(_ context.Context, until <-chan struct{}) { <-until }},
	} {
		for _, where := range []string{"env", "engine"} {
			t.Run(where+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench()
					b.EnvTimeout, b.SampleTimeout = time.Minute, time.Hour
					until := make(chan struct{})
					var calls atomic.Int64
					hang := func(ctx context.Context) error {
						if calls.Add(1) == 3 {
							c.hang(ctx, until)
						}
						return ctx.Err()
					}
					if where == "env" {
						b.world.fault = func(ctx context.Context, _ *counter, _ string) error { return hang(ctx) }
					} else {
						b.engine.fault = func(ctx context.Context, _ sparkd.SampleRequest) error { return hang(ctx) }
					}
					start, tree := time.Now(), b.tree()
					if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(start); took > 2*time.Hour {
						t.Errorf("it took %v", took)
					}
					close(until)
					synctest.Wait()
					b.check(t, tree)
					if tree.State != sparkd.TreeDone || tree.Stats.Failed == 0 {
						t.Errorf("state %s, stats %+v", tree.State, tree.Stats)
					}
					for _, n := range tree.Nodes {
						if n.Failed() && n.Error.Code != sparkd.CodeDeadline {
							t.Errorf("node %d: %v", n.ID, n.Error)
						}
					}
				})
			})
		}
	}
}

// A canceled context ends Grow at once, though the environment does not listen.
func TestGrowCanceledWhileHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench()
		until := make(chan struct{})
		b.world.fault = func(context.Context, *counter, string) error { <-until; return nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tree := b.tree()
		if err := Grow(ctx, b.Deps, &b.spec, tree); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if len(tree.Nodes) != 1 || tree.Round != 1 {
			t.Errorf("%d nodes, round %d", len(tree.Nodes), tree.Round)
		}
		close(until)
		synctest.Wait()
		if opened, closed := b.world.opened.Load(), b.world.closed.Load(); opened != closed {
			t.Errorf("%d environments opened, %d closed", opened, closed)
		}
	})
}

// Rewards that add up to no number fail the step that makes them, so that no stored tree has such a return.
func TestGrowWithEndlessRewards(t *testing.T) {
	for _, pays := range []float64{math.MaxFloat64, -math.MaxFloat64, math.Inf(1), math.NaN()} {
		b := newBench()
		b.world.pays, b.world.goal = pays, 100
		tree := b.grow(t)
		failed := 0
		for _, n := range tree.Nodes {
			if !sparkd.Finite(tree.Return(n.ID)) {
				t.Errorf("%v: node %d has a return of %v", pays, n.ID, tree.Return(n.ID))
			}
			if n.Failed() {
				failed++
				e := n.Error
				if e.Code != sparkd.CodeEnv || e.Remedy == "" || !strings.Contains(e.Message, "reward") {
					t.Errorf("%v: node %d failed with %+v", pays, n.ID, e)
				}
			}
		}
		if failed == 0 {
			t.Errorf("%v: no step failed", pays)
		}
	}
}
