package sampler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"sparkd"
)

var errCrash = errors.New("crash")

// load returns the tree as it was stored last.
func (b *bench) load(t *testing.T) *sparkd.Tree {
	t.Helper()
	if len(b.commits) == 0 {
		return b.tree()
	}
	var tree sparkd.Tree
	if err := json.Unmarshal(b.commits[len(b.commits)-1], &tree); err != nil {
		t.Fatal(err)
	}
	return &tree
}

// uncached is a bench whose engine does not count what it reuses: after a restart that
// is all that differs.
func uncached() *bench {
	b := newBench()
	b.engine.cache = nil
	return b
}

// resume grows the stored tree to its end with a new engine and a new world.
func (b *bench) resume(t *testing.T) *sparkd.Tree {
	t.Helper()
	tree := b.load(t)
	w := &world{goal: b.world.goal, text: b.world.text, forks: b.world.forks}
	b.engine, b.world, b.committed = uncached().engine, w, nil
	b.Engine, b.OpenEnv = b.engine, w.open
	if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil {
		t.Fatal(err)
	}
	b.check(t, tree)
	return tree
}

// A tree interrupted after any of its commits, reported as done or as failed, ends as it
// would have undisturbed.
func TestResumeAtRoundBoundaries(t *testing.T) {
	for _, forks := range []string{"", "snapshot", "replay", "replay at once"} {
		whole := uncached()
		whole.world.forks = forks
		want := whole.grow(t)
		for round := 1; round <= want.Round; round++ {
			t.Run(fmt.Sprintf("forks by %q, round %d", forks, round), func(t *testing.T) {
				b := uncached()
				b.world.forks = forks
				b.committed = func(r int) error {
					if r == round {
						return errCrash
					}
					return nil
				}
				tree := b.tree()
				if err := Grow(t.Context(), b.Deps, &b.spec, tree); !errors.Is(err, errCrash) {
					t.Fatalf("error %v", err)
				}
				if opened, closed := b.world.opened.Load(), b.world.closed.Load(); opened != closed {
					t.Errorf("%d environments opened, %d closed", opened, closed)
				}
				if tree.Round != round-1 || tree.State != sparkd.TreeGrowing {
					t.Errorf("the tree stands at round %d in state %s, not at its last commit", tree.Round, tree.State)
				}
				if got := b.resume(t); !same(t, got, want) {
					t.Error("the resumed tree differs")
				}
				// The commit failed without a trace: the tree in memory goes on as well.
				b.commits = b.commits[:round-1]
				if got := b.resume(t); !same(t, got, want) {
					t.Error("the tree resumed one round earlier differs")
				}
			})
		}
	}
}

// A tree canceled in the middle of a round ends as it would have undisturbed.
func TestResumeMidRound(t *testing.T) {
	want := uncached().grow(t)
	for _, where := range []string{"sample", "step"} {
		total := int64(want.Stats.EnvSteps)
		if where == "sample" {
			total = int64(samples(t))
		}
		for call := int64(1); call <= total; call++ {
			b := uncached()
			ctx, cancel := context.WithCancel(t.Context())
			var calls atomic.Int64
			hit := func(ctx context.Context) error {
				if calls.Add(1) == call {
					cancel()
				}
				return ctx.Err()
			}
			if where == "sample" {
				b.engine.fault = func(ctx context.Context, _ sparkd.SampleRequest) error { return hit(ctx) }
			} else {
				b.world.fault = func(ctx context.Context, _ *counter, _ string) error { return hit(ctx) }
			}
			tree := b.tree()
			err := Grow(ctx, b.Deps, &b.spec, tree)
			cancel()
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%s %d: error %v", where, call, err)
			}
			if tree.Round != len(b.commits) || tree.State != sparkd.TreeGrowing {
				t.Errorf("%s %d: the tree stands at round %d, %d are committed", where, call,
					tree.Round, len(b.commits))
			}
			if got := b.resume(t); !same(t, got, want) {
				t.Errorf("%s %d: the resumed tree differs", where, call)
			}
		}
	}
}

func samples(t *testing.T) int {
	b := newBench()
	b.grow(t)
	return len(b.engine.asked)
}

// An ended tree is left alone.
func TestGrowEndedTree(t *testing.T) {
	b := newBench()
	tree := b.grow(t)
	commits := len(b.commits)
	if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil || len(b.commits) != commits {
		t.Errorf("error %v, %d more commits", err, len(b.commits)-commits)
	}
}

// If the environment changed while the tree lay in the store, its live leaves fail as
// diverged; nothing is continued from a state that is not the recorded one.
func TestResumeInAnotherWorld(t *testing.T) {
	b := newBench()
	b.committed = func(r int) error {
		if r == 3 {
			return errCrash
		}
		return nil
	}
	if err := Grow(t.Context(), b.Deps, &b.spec, b.tree()); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	tree := b.load(t)
	w := &world{goal: 3, text: "It has rained. "}
	b.world, b.OpenEnv, b.committed = w, w.open, nil
	asked := len(b.engine.asked)
	if err := Grow(t.Context(), b.Deps, &b.spec, tree); err != nil {
		t.Fatal(err)
	}
	b.check(t, tree)
	if tree.State != sparkd.TreeFailed || sparkd.CodeOf(tree.Error) != sparkd.CodeDiverged ||
		tree.Stats.Diverged == 0 || tree.Stats.Diverged != tree.Stats.Failed {
		t.Errorf("state %s, error %v, stats %+v", tree.State, tree.Error, tree.Stats)
	}
	if len(b.engine.asked) != asked {
		t.Error("the engine was asked to continue a diverged state")
	}
}
