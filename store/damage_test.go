package store

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// damageStore returns a store with two rollouts, three finished trees and a growing one,
// and the trees.
func damageStore(t *testing.T, dir string) (*Store, []*sparkd.Tree) {
	s := open(t, dir, testOptions())
	var trees []*sparkd.Tree
	for _, r := range []sparkd.Rollout{testRollout("r0", "t0", "t1"), testRollout("r1", "t2", "t3")} {
		s.CreateRollout(t.Context(), r)
		r.State = sparkd.RolloutRunning
		for _, id := range r.Trees {
			tree := testTree(id, r.ID)
			putTree(t, s, tree, 4, id != "t3")
			trees = append(trees, tree)
		}
		if r.ID == "r0" {
			r.State = sparkd.RolloutDone
		}
		if err := s.PutRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return s, trees
}

type record struct{ key, value []byte }

func records(t *testing.T, s *Store) (all []record) {
	err := s.view(t.Context(), func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			v, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			all = append(all, record{it.Item().KeyCopy(nil), v})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// putRaw writes values behind the store's back; nil deletes.
func putRaw(t *testing.T, s *Store, records ...record) {
	err := s.db.Update(func(txn *badger.Txn) error {
		for _, r := range records {
			err := txn.Delete(r.key)
			if r.value != nil {
				err = txn.Set(r.key, r.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// findings runs Check, which must find something that names the key.
func findings(t *testing.T, s *Store, key []byte, kinds ...FindingKind) []Finding {
	t.Helper()
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	for _, f := range r.Findings {
		if f.Remedy == "" || f.Problem == "" {
			t.Errorf("finding without problem or remedy: %+v", f)
		}
	}
	named := slices.ContainsFunc(r.Findings, func(f Finding) bool {
		return f.Key == describeKey(key) && slices.Contains(kinds, f.Kind)
	})
	if !named {
		t.Errorf("%s is damaged; Check does not name it as %v, but: %+v", describeKey(key), kinds, r.Findings)
	}
	return r.Findings
}

// sameUpTo reports whether got is want, or want as it was after an earlier round: that is
// what a log cut short leaves, which only Open and Check can notice.
func sameUpTo(got, want *sparkd.Tree) bool {
	return reflect.DeepEqual(got, want) ||
		got.Round < want.Round && reflect.DeepEqual(got.Nodes, want.Nodes[:len(got.Nodes)])
}

// readsLoudly reads everything: what is returned is what was stored, or an error.
func readsLoudly(t *testing.T, s *Store, trees []*sparkd.Tree) {
	t.Helper()
	for _, want := range trees {
		got, err := s.Tree(t.Context(), want.ID)
		switch {
		case err != nil && sparkd.AsError(err).Remedy == "":
			t.Errorf("tree %s: error without remedy: %v", want.ID, err)
		case err != nil:
		case !sameUpTo(got, want):
			t.Errorf("tree %s is read with other content and without an error", want.ID)
		}
	}
	for e, err := range s.Completed(t.Context(), Filter{}) {
		i := slices.IndexFunc(trees, func(w *sparkd.Tree) bool { return w.ID == e.ID })
		if err != nil {
			wantCode(t, err, sparkd.CodeDamaged)
		} else if i < 0 || !reflect.DeepEqual(e.Tree, trees[i]) {
			t.Errorf("Completed yields tree %s with other content", e.ID)
		}
	}
}

// TestAlteredRecords flips a bit of every record in turn.
func TestAlteredRecords(t *testing.T) {
	t.Parallel()
	s, trees := damageStore(t, t.TempDir())
	checkClean(t, s)
	rng := seeded(11)
	for _, r := range records(t, s) {
		bad := bytes.Clone(r.value)
		bit := rng.IntN(8 * len(bad))
		bad[bit/8] ^= 1 << (bit % 8)
		putRaw(t, s, record{r.key, bad})
		findings(t, s, r.key, Altered)
		readsLoudly(t, s, trees)
		putRaw(t, s, r)
	}
	checkClean(t, s)
}

// TestMissingRecords deletes every record in turn. Only the oldest event may go: the log
// is trimmed from there.
func TestMissingRecords(t *testing.T) {
	t.Parallel()
	s, trees := damageStore(t, t.TempDir())
	for _, r := range records(t, s) {
		if bytes.Equal(r.key, eventKey(1)) {
			continue
		}
		putRaw(t, s, record{r.key, nil})
		findings(t, s, r.key, Missing, Lost)
		if r.key[0] == kindNodes {
			_, id, _, _ := splitKey(r.key)
			_, err := s.Tree(t.Context(), id)
			e := wantCode(t, err, sparkd.CodeDamaged)
			if !strings.Contains(e.Message, id) || !strings.Contains(e.Message, describeKey(r.key)) {
				t.Errorf("the error names too little: %v", e)
			}
		}
		putRaw(t, s, r)
	}
	readsLoudly(t, s, trees)
	checkClean(t, s)
}

// TestWrongRecords writes records that are well-formed and wrong.
func TestWrongRecords(t *testing.T) {
	s, trees := damageStore(t, t.TempDir())
	all := records(t, s)
	find := func(key []byte) record {
		return all[slices.IndexFunc(all, func(r record) bool { return bytes.Equal(r.key, key) })]
	}
	change := func(key []byte, v any, f func()) record {
		_, payload, err := unseal(key, find(key).value)
		if err == nil {
			err = json.Unmarshal(payload, v)
		}
		if err != nil {
			t.Fatal(err)
		}
		f()
		if payload, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
		return record{key, seal(key, payload)}
	}
	var head treeHead
	var r rolloutHead
	var st rolloutState
	var e completion
	older := *trees[3]
	older.Nodes, older.Round = older.Nodes[:5], 2
	olderHash := chain(chain(0, 0, 1, encodeNodes(older.Nodes[:1])), 1, 4, encodeNodes(older.Nodes[1:]))
	reward := *trees[0].Nodes[1]
	reward.Reward++
	nodes := append([]*sparkd.Node{&reward}, trees[0].Nodes[2:5]...)
	put := func(nodes []byte) record {
		key := nodesKey("t0", 1, 0)
		return record{key, seal(key, nodes)}
	}
	tests := map[string]struct {
		put  record
		kind FindingKind
		key  []byte
	}{
		"a reward changed":     {put(append([]byte{1}, encodeNodes(nodes)...)), Mismatch, treeKey("t0")},
		"nodes that end early": {put([]byte{1, 200, 1}), Altered, nodesKey("t0", 1, 0)},
		"a piece too many":     {put([]byte{2, 1, 1}), Missing, nodesKey("t0", 1, 1)},
		"an older header": {
			change(treeKey("t3"), &head, func() { head.Count, head.Hash, head.Round = 5, olderHash, 2 }),
			Mismatch, treeKey("t3"),
		},
		"a header of another": {
			change(treeKey("t1"), &head, func() { head.ID = "t0" }),
			Altered, treeKey("t1"),
		},
		"a tree of another": {
			change(treeKey("t1"), &head, func() { head.Rollout = "r1" }),
			Mismatch, treeKey("t1"),
		},
		"a tree of nobody": {
			change(treeKey("t1"), &head, func() { head.Rollout = "r9" }),
			Missing, rolloutKey("r9"),
		},
		"another completion": {
			change(treeKey("t1"), &head, func() { head.Completed = 1 }),
			Missing, completedKey("", 1),
		},
		"a header counts more": {
			change(treeKey("t0"), &head, func() { head.Count++ }),
			Missing, nodesKey("t0", 13, 0),
		},
		"a header counts less": {
			change(treeKey("t0"), &head, func() { head.Count-- }),
			Mismatch, treeKey("t0"),
		},
		"a rollout lists less": {
			change(rolloutKey("r0"), &r, func() { r.Trees = r.Trees[:1] }),
			Dangling, treeKey("t1"),
		},
		"a rollout lists more": {
			change(rolloutKey("r0"), &r, func() { r.Trees = append(r.Trees, "t9") }),
			Missing, treeKey("t9"),
		},
		"a rollout done too soon": {
			change(stateKey("r1"), &st, func() { st.State = sparkd.RolloutDone }),
			Mismatch, treeKey("t3"),
		},
		"an older state": {
			change(stateKey("r1"), &st, func() { st.State = sparkd.RolloutQueued }),
			Mismatch, stateKey("r1"),
		},
		"a completion of nothing": {
			change(completedKey("", 6), &e, func() { e.Tree = "t9" }),
			Missing, treeKey("t9"),
		},
		"a completion of another": {
			change(completedKey("r0", 6), &e, func() { e.Tree = "t1" }),
			Mismatch, completedKey("r0", 6),
		},
		"a key of no kind": {record{[]byte("zebra"), []byte("x")}, Dangling, []byte("zebra")},
		"a key of no form": {record{[]byte("tree"), []byte("x")}, Dangling, []byte("tree")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(all, func(r record) bool { return bytes.Equal(r.key, test.put.key) })
			putRaw(t, s, test.put)
			findings(t, s, test.key, test.kind)
			if i < 0 {
				putRaw(t, s, record{test.put.key, nil})
			} else {
				putRaw(t, s, all[i])
			}
		})
	}
	checkClean(t, s)
}

// TestUnknownFormat: a record of a later format is not called damaged.
func TestUnknownFormat(t *testing.T) {
	s, _ := damageStore(t, t.TempDir())
	key := treeKey("t0")
	v := seal(key, []byte("{}"))
	v[0] = frameVersion + 1
	sum := frameSum(v[0], key, []byte("{}"))
	v[1], v[2], v[3], v[4] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	putRaw(t, s, record{key, v})
	_, err := s.Tree(t.Context(), "t0")
	wantCode(t, err, sparkd.CodeStore)
}

// TestDamagedRollout: one damaged rollout, tree or event keeps back no other.
func TestDamagedRollout(t *testing.T) {
	s, _ := damageStore(t, t.TempDir())
	s.CreateRollout(t.Context(), testRollout("q"))
	putRaw(t, s, record{stateKey("r1"), []byte("garbage")})
	list, _, err := s.Rollouts(t.Context(), List{Limit: 10})
	if err != nil || len(list) != 3 || list[2].ID != "r1" || list[2].Error.Code != sparkd.CodeDamaged ||
		list[2].State != sparkd.RolloutFailed {
		t.Errorf("Rollouts = %+v, %v", list, err)
	}
	putRaw(t, s, record{eventKey(3), []byte("garbage")})
	events, err := s.Events(t.Context(), "", 5)
	if err != nil || len(events) != 5 || events[2].Kind != EventDamaged || events[2].Seq != 3 ||
		events[2].Error.Code != sparkd.CodeDamaged {
		t.Errorf("Events = %+v, %v", events, err)
	}
	unfinished, err := s.Unfinished(t.Context())
	wantCode(t, err, sparkd.CodeDamaged)
	if len(unfinished) != 1 || unfinished[0].ID != "q" {
		t.Errorf("Unfinished = %+v", unfinished)
	}
	putRaw(t, s, record{treeKey("t0"), []byte("garbage")})
	_, err = s.Head(t.Context(), "t0")
	wantCode(t, err, sparkd.CodeDamaged)
	if h, err := s.Head(t.Context(), "t1"); err != nil || h.ID != "t1" || h.Nodes != nil {
		t.Errorf("Head = %+v, %v", h, err)
	}
}

// TestInfiniteReturns: a tree whose rewards add up to no number is found, and by its name.
func TestInfiniteReturns(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	s.CreateRollout(t.Context(), testRollout("r", "huge"))
	tree := testTree("huge", "r")
	for range 3 {
		first := addRound(tree, seeded(3), 1, 5)
		n := tree.Nodes[first]
		if n.ID > 0 {
			n.Parent, n.Depth, n.Reward, n.Outcome = first-1, first, math.MaxFloat64, sparkd.OutcomeNone
		}
		if n.ID == 2 {
			n.Done, n.Outcome = true, sparkd.OutcomeFailure
			tree.State, tree.Finished = sparkd.TreeDone, epoch.Add(time.Hour)
		}
		if err := s.PutRound(t.Context(), tree, first); err != nil {
			t.Fatal(err)
		}
	}
	found := findings(t, s, treeKey("huge"), Infinite)
	if f := found[0]; f.Tree != "huge" || f.Rollout != "r" || !strings.Contains(f.Remedy, "--reward-cmd") {
		t.Errorf("%+v", f)
	}
}
