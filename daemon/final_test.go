package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
	"sparkd/daemon"
)

// waitStuck asks until the rollout has ended or says why it waits for the store.
func (r *running) waitStuck(id string) sparkd.Rollout {
	r.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; runtime.Gosched() {
		got, err := r.Client.Rollout(r.t.Context(), id)
		if err != nil || time.Now().After(deadline) {
			r.t.Fatalf("%v %+v", err, got)
		}
		if got.State.Ended() || got.Error != nil {
			return got
		}
	}
}

// endsOnce fails the test unless the log tells one end of the rollout, and that in a state.
func (r *running) endsOnce(id string, state sparkd.RolloutState) {
	r.t.Helper()
	events, err := r.Daemon.Events(r.t.Context(), "", 10_000)
	if err != nil {
		r.t.Fatal(err)
	}
	ends := []string{}
	for _, e := range events {
		if e.Kind == sparkd.EventRollout && e.Rollout == id && sparkd.RolloutState(e.State).Ended() {
			ends = append(ends, e.State)
		}
	}
	if len(ends) != 1 || ends[0] != string(state) {
		r.t.Errorf("the log tells the ends %q, want one: %s", ends, state)
	}
}

// faulty is a disk whose n-th commit fails, with all behind it. persists says that the n-th is there all the same.
type faulty struct {
	n        int64
	persists bool
	commits  atomic.Int64
}

var errDisk = errors.New("input/output error")

func (f *faulty) commit(commit func() error) error {
	switch n := f.commits.Add(1); {
	case n < f.n:
		return commit()
	case n == f.n && f.persists:
		return errors.Join(commit(), errDisk)
	}
	return errDisk
}

// Whatever write of a rollout fails, and whether or not it is on the disk all the same: until its end is stored the
// rollout shows no final state, what it shows says why it waits, and a restart grows it to the end it would have had.
// That is in the log once.
func TestEveryWriteFails(t *testing.T) {
	s := spec(1)
	s.ID, s.MaxSteps = "faulty", 3
	want, _ := undisturbed(t, s)
	for _, persists := range []bool{false, true} {
		for n, failed := int64(1), true; failed; n++ {
			f := &faulty{n: n, persists: persists}
			dir := filepath.Join(t.TempDir(), fmt.Sprint("data", n))
			failed = f.run(t, dir, s)
			r := start(t, config(t, dir), daemon.Parts{})
			if _, _, err := r.Client.Submit(t.Context(), s); err != nil { // the first write is that of the request
				t.Fatal(err)
			}
			sameTrees(t, r, s)
			r.endsOnce(s.ID, want.State)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// run runs s on the disk and reports whether that has failed.
func (f *faulty) run(t *testing.T, dir string, s sparkd.Spec) bool {
	c := config(t, dir)
	c.Store.Fail = f.commit
	r := start(t, c, daemon.Parts{})
	if _, _, err := r.Client.Submit(t.Context(), s); err == nil {
		got := r.waitStuck(s.ID)
		switch {
		case got.State.Ended() && (got.State != sparkd.RolloutDone || got.Error != nil):
			t.Errorf("commit %d: it ended as %+v", f.n, got)
		case !got.State.Ended() && (got.Error.Code != sparkd.CodeStore || r.Ready() == nil):
			t.Errorf("commit %d: it waits for %v, ready: %v", f.n, got.Error, r.Ready())
		}
	} else if sparkd.CodeOf(err) != sparkd.CodeStore || f.n > 1 {
		t.Errorf("commit %d: %v", f.n, err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	return f.commits.Load() >= f.n
}

// A cancel that cannot be stored is not answered as one. What is shown as canceled, because it is stored all the same,
// stays canceled; the rest grows on at the next start or is canceled by it.
func TestCancelFails(t *testing.T) {
	for _, persists := range []bool{false, true} {
		for n := int64(1); n <= 4; n++ {
			t.Run(fmt.Sprint(n, persists), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				g, f := newGate(), &faulty{n: 1 << 40}
				c := config(t, dir)
				c.Store.Fail = f.commit
				r := start(t, c, daemon.Parts{Engine: g.engine()})
				s := spec(1)
				s.ID = "unwanted"
				r.submit(s)
				<-g.entered
				f.persists, f.n = persists, f.commits.Load()+n
				got, err := r.Daemon.Cancel(t.Context(), s.ID)
				switch e := sparkd.AsError(err); {
				case err == nil && got.State != sparkd.RolloutCanceled:
					t.Errorf("canceled: %+v", got)
				case err != nil && (e.Code != sparkd.CodeUnavailable || e.Remedy == ""):
					t.Errorf("not canceled: %v", err)
				}
				shown, errShown := r.Client.Rollout(t.Context(), s.ID)
				if errShown != nil || err == nil && shown.State != sparkd.RolloutCanceled {
					t.Errorf("%v %+v", errShown, shown)
				}
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				r = start(t, config(t, dir), daemon.Parts{})
				last := r.waitFor(s.ID)
				if shown.State.Ended() && last.State != shown.State {
					t.Errorf("it was %s, and is %s", shown.State, last.State)
				}
				r.endsOnce(s.ID, last.State)
			})
		}
	}
}

// A rollout that nobody grows, because its daemon is gone, is canceled in its folder, for good, with its trees.
func TestCancelOffline(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := spec(3)
	s.ID = "left"
	killedAfter(t, dir, s, 7)
	r := start(t, config(t, dir), daemon.Parts{Offline: true})
	if _, err := r.Client.Cancel(t.Context(), s.ID); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("a reader cancels: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, config(t, dir), daemon.Parts{Offline: true, Cancel: true})
	for range 2 {
		if got, err := r.Client.Cancel(t.Context(), s.ID); err != nil || got.State != sparkd.RolloutCanceled {
			t.Errorf("%v %+v", err, got)
		}
	}
	if _, _, err := r.Client.Submit(t.Context(), spec(1)); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("it takes rollouts: %v", err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = start(t, config(t, dir), daemon.Parts{})
	got, err := r.Client.Rollout(t.Context(), s.ID)
	if err != nil || got.State != sparkd.RolloutCanceled || got.Finished.IsZero() {
		t.Fatalf("%v %+v", err, got)
	}
	r.endsOnce(s.ID, sparkd.RolloutCanceled)
	var sum sparkd.Stats
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil || tree.State == sparkd.TreeGrowing || tree.State == sparkd.TreeQueued {
			t.Errorf("%v %+v", err, tree)
			continue
		}
		sum.Add(tree.Stats)
	}
	if sum != got.Stats {
		t.Errorf("the rollout counts\n%+v\nits trees\n%+v", got.Stats, sum)
	}
}

// Every tree that a rollout lists can be asked for, from the beginning on and when it was canceled before.
func TestTreesThatHaveNotBegun(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees = 1
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	r.submit(spec(1))
	<-g.entered
	waiting := r.submit(spec(2))
	for i, id := range waiting.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil || tree.State != sparkd.TreeQueued || tree.Rollout != waiting.ID || tree.Task.Index != i {
			t.Errorf("%v %+v", err, tree)
		}
	}
	if _, err := r.Client.Cancel(t.Context(), waiting.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range waiting.Trees {
		if tree, err := r.Client.Tree(t.Context(), id); err != nil || tree.State != sparkd.TreeCanceled {
			t.Errorf("%v %+v", err, tree)
		}
	}
	if _, err := r.Client.Tree(t.Context(), sparkd.NewID(waiting.Created)); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("a tree of nobody: %v", err)
	}
}

// Who waits for a rollout is answered behind its end.
func TestWaitForEnd(t *testing.T) {
	g := newGate()
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Engine: g.engine()})
	id := r.submit(spec(1)).ID
	<-g.entered
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if got, err := r.Daemon.Wait(short, id); err != nil || got.State != sparkd.RolloutRunning {
		t.Errorf("%v %+v", err, got)
	}
	var waiters sync.WaitGroup
	for range 50 {
		waiters.Go(func() {
			if got, err := r.Client.Wait(t.Context(), id); err != nil || got.State != sparkd.RolloutDone {
				t.Errorf("%v %+v", err, got)
			}
		})
	}
	close(g.opened)
	waiters.Wait()
	if _, err := r.Daemon.Wait(t.Context(), "nobody"); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("an unknown one: %v", err)
	}
}
