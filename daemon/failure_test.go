package daemon_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// A rollout whose environment cannot be opened fails with the reason and earns nothing.
func TestFailedEnvironment(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{
		OpenEnv: func(context.Context, string) (sparkd.Env, error) { return nil, errors.New("no server") },
	})
	got := r.wait(r.submit(spec(2)).ID)
	if got.State != sparkd.RolloutFailed || got.Failed != 2 || got.Error == nil ||
		got.Error.Code != sparkd.CodeEnv || got.Stats.Leaves != 0 {
		t.Errorf("%+v", got)
	}
}

// One broken tree does not fail the rollout.
func TestOneTreeFails(t *testing.T) {
	opened := make(chan struct{}, 1)
	opened <- struct{}{}
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees = 1
	r := start(t, c, daemon.Parts{OpenEnv: func(context.Context, string) (sparkd.Env, error) {
		select {
		case <-opened:
			return nil, errors.New("no server")
		default:
			return &daemontest.Corridor{}, nil
		}
	}})
	got := r.wait(r.submit(spec(2)).ID)
	if got.State != sparkd.RolloutDone || got.Failed != 1 || got.Done != 1 || got.Error != nil {
		t.Errorf("%+v", got)
	}
}

// Broken branches are counted apart and are no failures of the agent.
func TestBrokenBranches(t *testing.T) {
	engine := &daemontest.Engine{Before: func(_ context.Context, r sparkd.SampleRequest) error {
		if r.Seeds[0]%5 == 0 {
			return sparkd.Errorf(sparkd.CodeEngine, "a hiccup")
		}
		return nil
	}}
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Engine: engine})
	got := r.wait(r.submit(spec(2)).ID)
	if got.State != sparkd.RolloutDone || got.Stats.Failed == 0 {
		t.Fatalf("%+v", got)
	}
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Failed() && (n.Reward != 0 || n.Error == nil) {
				t.Errorf("node %d: %+v", n.ID, n)
			}
		}
	}
}
