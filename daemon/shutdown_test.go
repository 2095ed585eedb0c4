package daemon_test

import (
	"context"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/daemon"
)

// get returns the status of a route.
func (r *running) get(path string) int {
	r.t.Helper()
	resp, err := http.Get("http://" + r.Addr().String() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A shutdown under load waits for the rounds under way, stores them, and the next start
// grows everything on to what it would have been.
func TestShutdownUnderLoad(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	s := spec(12)
	s.ID = "load"
	r.submit(s)
	for range c.Daemon.Trees {
		<-g.entered
	}
	ended := make(chan error, 1)
	go func() { ended <- r.stop() }()
	for r.Ready() == nil { // the first thing a shutdown does
		runtime.Gosched()
	}
	if status := r.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d while draining", status)
	}
	if _, _, err := r.Client.Submit(t.Context(), spec(1)); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("Submit while draining: %v", err)
	}
	close(g.opened)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	checkRounds(t, c, "load", c.Daemon.Trees)
	sameTrees(t, start(t, c, daemon.Parts{}), s)
}

// checkRounds looks, without an engine, whether n trees hold their first round.
func checkRounds(t *testing.T, c daemon.Config, id string, n int) {
	t.Helper()
	r := start(t, c, daemon.Parts{Offline: true})
	got, err := r.Client.Rollout(t.Context(), id)
	if err != nil || got.State != sparkd.RolloutRunning {
		t.Fatalf("%v %+v", err, got)
	}
	for _, tree := range got.Trees[:n] {
		tree, err := r.Client.Tree(t.Context(), tree)
		if err != nil || tree.State != sparkd.TreeGrowing || tree.Round != 2 {
			t.Errorf("%v %+v", err, tree)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// StopNow cuts the wait; what is dropped is sampled again.
func TestStopNow(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	g := newGate() // is never opened
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	s := spec(2)
	s.ID = "now"
	r.submit(s)
	<-g.entered
	r.StopNow()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	sameTrees(t, start(t, c, daemon.Parts{}), s)
}

// Whoever holds on to a daemon that has ended is answered and does not hang.
func TestAfterTheEnd(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	_, _, submitted := r.Daemon.Submit(t.Context(), spec(1))
	_, canceled := r.Daemon.Cancel(t.Context(), "any")
	for name, err := range map[string]error{"Submit": submitted, "Cancel": canceled, "Ready": r.Ready()} {
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An open event stream does not hold up a shutdown: it is ended by it.
func TestShutdownEndsStreams(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	r.submit(spec(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	open, ended := make(chan struct{}, 1000), make(chan error, 1)
	go func() {
		ended <- r.Client.Events(ctx, "", "", func(sparkd.Event) error {
			open <- struct{}{}
			return nil
		})
	}()
	<-open
	before := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(before); took > 4*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	cancel()
	<-ended
}

// Resume decides which unfinished rollouts grow on; asking for another one again makes
// it grow on too.
func TestResume(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	s, other := spec(1), spec(1)
	s.ID, other.ID = "wanted", "other"
	r.submit(s)
	r.submit(other)
	<-g.entered
	r.StopNow()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, c, daemon.Parts{Resume: func(id string) bool { return id == "wanted" }})
	r.wait("wanted")
	if got, err := r.Client.Rollout(t.Context(), "other"); err != nil || got.State.Ended() {
		t.Fatalf("%v %+v", err, got)
	}
	r.submit(other)
	if got := r.wait("other"); got.State != sparkd.RolloutDone {
		t.Errorf("%+v", got)
	}
}

// Canceling stops the trees, keeps what they committed, and is final.
func TestCancel(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees = 1
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	s := spec(3)
	s.ID = "unwanted"
	r.submit(s)
	<-g.entered
	got, err := r.Client.Cancel(t.Context(), "unwanted")
	if err != nil || got.State != sparkd.RolloutCanceled || got.Finished.IsZero() {
		t.Fatalf("%v %+v", err, got)
	}
	tree, err := r.Client.Tree(t.Context(), got.Trees[0])
	if err != nil || tree.State != sparkd.TreeCanceled || len(tree.Nodes) != 1 {
		t.Errorf("the tree under way: %v %+v", err, tree)
	}
	if again, err := r.Client.Cancel(t.Context(), "unwanted"); err != nil || again.State != sparkd.RolloutCanceled {
		t.Errorf("once more: %v %+v", err, again)
	}
	if _, err := r.Client.Cancel(t.Context(), "nobody"); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("an unknown one: %v", err)
	}
	close(g.opened)
	if next := r.wait(r.submit(spec(1)).ID); next.State != sparkd.RolloutDone {
		t.Errorf("the next one: %+v", next)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, c, daemon.Parts{})
	if got, err := r.Client.Rollout(t.Context(), "unwanted"); err != nil || got.State != sparkd.RolloutCanceled {
		t.Errorf("after a restart: %v %+v", err, got)
	}
}

// Rollouts canceled at any moment of their lives end once, done or canceled.
func TestCancelAtAnyMoment(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees = 4
	r := start(t, c, daemon.Parts{})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			s := spec(1)
			s.MaxSteps, s.Seed = 1+i%3, uint64(i)
			got, _, err := r.Daemon.Submit(t.Context(), s)
			if err != nil {
				t.Error(err)
				return
			}
			for range i % 4 {
				wg.Go(func() {
					if got, err := r.Daemon.Cancel(t.Context(), got.ID); err != nil || !got.State.Ended() {
						t.Errorf("%v %+v", err, got)
					}
				})
			}
			last := r.waitFor(got.ID)
			if last.State == sparkd.RolloutFailed || last.State == sparkd.RolloutDone && last.Done != 1 {
				t.Errorf("%+v", last)
			}
		})
	}
	wg.Wait()
}
