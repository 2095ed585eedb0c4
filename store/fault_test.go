package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// TestCommitFaults fails the last commit of every kind of write in two ways: nothing
// reached the disk, or all of it did and only the answer was lost. Either way the
// caller gets an error, the store takes no more writes and can be read, and after
// reopening Check is clean and the write is there wholly or not at all.
func TestCommitFaults(t *testing.T) {
	t.Parallel()
	errDisk := errors.New("input/output error")
	faults := map[string]func(*badger.Txn) error{
		"failed": func(*badger.Txn) error { return errDisk },
		"failed but persisted": func(txn *badger.Txn) error {
			if err := txn.Commit(); err != nil {
				return err
			}
			return errDisk
		},
	}
	steps := faultSteps()
	for fault, commit := range faults {
		for step, do := range steps {
			for _, after := range []int{0, 2} { // commits that pass first
				if after > 0 && !strings.Contains(step, "ahead") {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%d", step, fault, after), func(t *testing.T) {
					t.Parallel()
					s := open(t, t.TempDir(), testOptions())
					s.CreateRollout(t.Context(), testRollout("r", "t0", "t1"))
					tree := testTree("t0", "r")
					putTree(t, s, tree, 1, false)
					left := after
					s.commit = func(txn *badger.Txn) error {
						if left > 0 {
							left--
							return txn.Commit()
						}
						return commit(txn)
					}
					if e := wantCode(t, do(t, s), sparkd.CodeStore); e.Remedy == "" || !errors.Is(e, errDisk) {
						t.Errorf("error %+v", e)
					}
					s.commit = (*badger.Txn).Commit
					wantCode(t, do(t, s), sparkd.CodeStore)
					if _, err := s.Tree(t.Context(), "t0"); err != nil {
						t.Errorf("reading after a failed write: %v", err)
					}
					s = reopen(t, s)
					checkClean(t, s)
					growOn(t, s, "t0")
					growOn(t, s, "t1")
					checkClean(t, s)
				})
			}
		}
	}
}

// faultSteps are the kinds of writes, on a store with rollout r and a growing tree t0.
func faultSteps() map[string]func(*testing.T, *Store) error {
	// grow commits a round of tree t0, which has one round of k nodes of the given size.
	grow := func(t *testing.T, s *Store, tokens int, state sparkd.TreeState) (*sparkd.Tree, error) {
		tree, err := s.Tree(t.Context(), "t0")
		if err != nil {
			t.Fatal(err)
		}
		first := addRound(tree, seeded(2), 4, tokens)
		tree.State = state
		return tree, s.PutRound(t.Context(), tree, first)
	}
	return map[string]func(t *testing.T, s *Store) error{
		"create": func(t *testing.T, s *Store) error {
			_, _, err := s.CreateRollout(t.Context(), testRollout("new", "t9"))
			return err
		},
		"rollout": func(t *testing.T, s *Store) error {
			r := testRollout("r", "t0", "t1", "t2")
			r.State = sparkd.RolloutRunning
			return s.PutRollout(t.Context(), r)
		},
		"round": func(t *testing.T, s *Store) error {
			_, err := grow(t, s, 10, sparkd.TreeGrowing)
			return err
		},
		"last round": func(t *testing.T, s *Store) error {
			_, err := grow(t, s, 10, sparkd.TreeDone)
			return err
		},
		"round written ahead": func(t *testing.T, s *Store) error {
			_, err := grow(t, s, 60_000, sparkd.TreeDone)
			return err
		},
		"first round written ahead": func(t *testing.T, s *Store) error {
			tree := testTree("t1", "r")
			addRound(tree, seeded(1), 1, 0)
			addRound(tree, seeded(2), 4, 60_000)
			return s.PutRound(t.Context(), tree, 0)
		},
	}
}

// growOn reads a tree as a restarted daemon does and grows it to its end.
func growOn(t *testing.T, s *Store, id string) {
	t.Helper()
	tree, err := s.Tree(t.Context(), id)
	if sparkd.CodeOf(err) == sparkd.CodeNotFound {
		tree, err = testTree(id, "r"), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if tree.State != sparkd.TreeGrowing {
		return
	}
	putTree(t, s, tree, 2, true)
	sameTree(t, s, tree)
}

// TestBatchFaults: an op that fails its own check does not harm those that share its
// transaction, and neither does one that puts a value above the limit.
func TestBatchFaults(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	put := func(id string, size int) *op {
		return &op{done: make(chan error, 1), run: func(b *batch) error {
			b.put(treeKey(id), make([]byte, size))
			return nil
		}}
	}
	refused := errors.New("refused")
	bad := &op{done: make(chan error, 1), run: func(*batch) error {
		return sparkd.Errorf(sparkd.CodeConflict, "no: %v", refused)
	}}
	panics := &op{done: make(chan error, 1), run: func(*batch) error { panic("index out of range") }}
	good := put("a", 10)
	s.commitOps([]*op{bad, good, panics})
	if err := <-good.done; err != nil {
		t.Errorf("the sound op: %v", err)
	}
	wantCode(t, <-bad.done, sparkd.CodeConflict)
	wantCode(t, <-panics.done, sparkd.CodeDamaged)

	small, large := put("b", 10), put("c", maxValue)
	s.commitOps([]*op{small, large})
	wantCode(t, <-large.done, sparkd.CodeTooLarge)
	if err := <-small.done; err != nil {
		t.Errorf("an op suffers for another: %v", err)
	}
	for id, want := range map[string]error{"a": nil, "b": nil, "c": errMissing} {
		err := s.view(t.Context(), func(txn *badger.Txn) error {
			return read(txn, treeKey(id), func(byte, []byte) error { return nil })
		})
		if !errors.Is(err, want) {
			t.Errorf("record %s: %v, want %v", id, err, want)
		}
	}
	s.CreateRollout(t.Context(), testRollout("r"))
	if _, err := s.Rollout(t.Context(), "r"); err != nil {
		t.Errorf("the store is unusable after a refused batch: %v", err)
	}
}

// TestFreeSpace: below MinFree writes are refused with a remedy, reads go on, and when
// there is room again writes do too.
func TestFreeSpace(t *testing.T) {
	s := open(t, t.TempDir(), with(func(o *Options) { o.MinFree = 100 << 20 }))
	s.CreateRollout(t.Context(), testRollout("r", "t"))
	tree := testTree("t", "r")
	putTree(t, s, tree, 2, false)
	free := s.free
	s.free = func() (int64, error) { return 99 << 20, nil }
	grown := *tree
	first := addRound(&grown, seeded(1), 2, 2)
	if e := wantCode(t, s.PutRound(t.Context(), &grown, first), sparkd.CodeStore); e.Remedy == "" {
		t.Errorf("no remedy: %v", e)
	}
	sameTree(t, s, tree)
	s.free = func() (int64, error) { return 0, os.ErrNotExist }
	wantCode(t, s.PutRound(t.Context(), &grown, first), sparkd.CodeStore)
	s.free = free
	if err := s.PutRound(t.Context(), &grown, first); err != nil {
		t.Fatal(err)
	}
	sameTree(t, s, &grown)
	checkClean(t, s)
}

// TestFullDisk fills a real small disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := mountTmpfs(t, "size=200m")
	s := open(t, filepath.Join(dir, "data"), with(func(o *Options) { o.MinFree = 128 << 20 }))
	s.CreateRollout(t.Context(), testRollout("r", "t"))
	tree := testTree("t", "r")
	var stored sparkd.Tree
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		stored = *tree
		first := addRound(tree, seeded(uint64(i)), 4, 10_000)
		err = s.PutRound(t.Context(), tree, first)
	}
	if e := wantCode(t, err, sparkd.CodeStore); e.Remedy == "" {
		t.Errorf("no remedy: %v", e)
	}
	t.Logf("full after %d nodes: %v", len(stored.Nodes), err)
	sameTree(t, s, &stored)
	// Someone else takes the rest; nothing is written any more, so nothing breaks.
	fill, ferr := os.Create(filepath.Join(dir, "ballast"))
	if ferr != nil {
		t.Fatal(ferr)
	}
	defer fill.Close()
	for chunk := make([]byte, 1<<20); ferr == nil; {
		_, ferr = fill.Write(chunk)
	}
	sameTree(t, s, &stored)
	if err := os.Remove(fill.Name()); err != nil {
		t.Fatal(err)
	}
	fill.Close()
	shut(t, s)
	_, err = Open(s.dir, with(func(o *Options) { o.MinFree = 190 << 20 }))
	wantCode(t, err, sparkd.CodeStore)
	s = open(t, s.dir, testOptions())
	sameTree(t, s, &stored)
	checkClean(t, s)
}

// TestEventsTrimmed: the log keeps the newest events, also across a restart.
func TestEventsTrimmed(t *testing.T) {
	t.Parallel()
	opt := testOptions()
	opt.Events = 20
	s := open(t, t.TempDir(), opt)
	s.CreateRollout(t.Context(), testRollout("r", "t0", "t1", "t2"))
	for i := range 3 {
		putTree(t, s, testTree(fmt.Sprint("t", i), "r"), 15, true)
		events, err := s.Events(t.Context(), "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(1 + 16*(i+1))
		if n := len(events); n != int(min(20, last)) || events[n-1].Seq != last {
			t.Fatalf("%d events up to %d, want at most 20 up to %d", n, events[n-1].Seq, last)
		}
		s = reopen(t, s)
		checkClean(t, s)
	}
}
