package daemon_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
	"sparkd/api"
	"sparkd/daemon"
	"sparkd/store"
)

// What is damaged does not keep a daemon from starting and growing on with the rest.
func TestStartWithDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	leaveUnfinished(t, dir, "state", "request", "sound")
	overwrite(t, dir, "sstate\x00", "rrequest\x00", "tsound-0\x00") // store/keys.go
	r := start(t, config(t, dir), daemon.Parts{})
	got := r.wait("sound")
	if got.State != sparkd.RolloutDone || got.Done != 1 || got.Failed != 1 {
		t.Errorf("%+v", got)
	}
	page, _, err := r.Client.Rollouts(t.Context(), api.List{})
	if err != nil || len(page) != 3 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, p := range page {
		damaged := p.State == sparkd.RolloutFailed && p.Error != nil && p.Error.Code == sparkd.CodeDamaged
		if p.ID != "sound" && !damaged {
			t.Errorf("%+v", p)
		}
	}
}

// leaveUnfinished makes a store with rollouts of two trees. The first tree has begun.
func leaveUnfinished(t *testing.T, dir string, ids ...string) {
	st, err := store.Open(dir, daemon.Default().Store)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Now()
	for _, id := range ids {
		s := spec(2)
		s.ID = id
		trees := []string{id + "-0", id + "-1"}
		r := sparkd.Rollout{ID: id, Spec: s, State: sparkd.RolloutQueued, Trees: trees, Created: now}
		if _, _, err := st.CreateRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		task := s.Tasks.List()[0]
		tree := &sparkd.Tree{ID: trees[0], Rollout: id, State: sparkd.TreeGrowing, Task: task, Created: now}
		if err := st.PutRound(t.Context(), tree, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// overwrite writes nonsense behind the store's back.
func overwrite(t *testing.T, dir string, keys ...string) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithExternalMagic(2).WithLogger(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(txn *badger.Txn) error {
		for _, k := range keys {
			if err := txn.Set([]byte(k), []byte("nonsense")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
