package daemon_test

import (
	"context"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// running is a daemon under test and its client.
type running struct {
	*daemon.Daemon
	*client.Client
	t    *testing.T
	stop func() error // ends it in order
}

// config is that of a test: everything small, on a free port.
func config(t *testing.T, dir string) daemon.Config {
	c := daemon.Default()
	c.Daemon.Data, c.Engine.Model = dir, ""
	c.API.Listen = "127.0.0.1:0"
	c.Daemon.Drain = 10 * time.Second
	return c
}

// start runs a daemon until the test ends or stop is called. Where no model is
// configured it has the scripted engine.
func start(t *testing.T, c daemon.Config, p daemon.Parts) *running {
	t.Helper()
	if p.Engine == nil && c.Engine.Model == "" {
		p.Engine = &daemontest.Engine{}
	}
	d, err := daemon.New(t.Context(), c, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel), p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	cl, err := client.New(d.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		d.StopNow()
		if err := stop(); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return &running{d, cl, t, stop}
}

// spec is a request that takes a moment.
func spec(tasks int) sparkd.Spec {
	s := branching.DefaultSpec()
	s.Tasks.Count = tasks
	s.MaxSteps = 8
	s.Seed = 7
	return s
}

func (r *running) submit(s sparkd.Spec) sparkd.Rollout {
	r.t.Helper()
	got, _, err := r.Client.Submit(r.t.Context(), s)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// wait follows the events until the rollout has ended.
func (r *running) wait(id string) sparkd.Rollout {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	got, err := r.Client.Rollout(ctx, id)
	if err == nil && !got.State.Ended() {
		err = r.Client.Events(ctx, "", id, func(e sparkd.Event) error {
			if e.Kind == sparkd.EventRollout && sparkd.RolloutState(e.State).Ended() {
				return client.ErrStop
			}
			return nil
		})
	}
	if err == nil {
		got, err = r.Client.Rollout(ctx, id)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if !got.State.Ended() {
		r.t.Fatalf("rollout %s is %s behind its last event", id, got.State)
	}
	return got
}

// waitFor asks until the rollout has ended, for one whose end makes no event.
func (r *running) waitFor(id string) sparkd.Rollout {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		got, err := r.Client.Rollout(r.t.Context(), id)
		if err != nil || time.Now().After(deadline) {
			r.t.Fatalf("%v %+v", err, got)
		}
		if got.State.Ended() {
			return got
		}
	}
}

func TestRolloutEndToEnd(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	got := r.wait(r.submit(spec(3)).ID)
	if got.State != sparkd.RolloutDone || got.Done != 3 || got.Failed != 0 ||
		got.Stats.Forks == 0 || got.Stats.Leaves > 24 {
		t.Errorf("%+v", got)
	}
	var sum sparkd.Stats
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if tree.State != sparkd.TreeDone || len(tree.Leaves()) != tree.Stats.Leaves {
			t.Errorf("tree %s: %s, %d leaves of %d", id, tree.State, len(tree.Leaves()), tree.Stats.Leaves)
		}
		sum.Add(tree.Stats)
	}
	if sum != got.Stats {
		t.Errorf("the rollout counts\n%+v\nits trees\n%+v", got.Stats, sum)
	}
}
