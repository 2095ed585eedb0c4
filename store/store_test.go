package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sparkd"
)

// TestStore runs the conformance suite on both modes.
func TestStore(t *testing.T) {
	modes := map[string]func(t *testing.T) *Store{
		"disk": func(t *testing.T) *Store { return open(t, t.TempDir(), testOptions()) },
		"disk always": func(t *testing.T) *Store {
			return open(t, t.TempDir(), with(func(o *Options) { o.MinFree, o.Sync = 1, SyncAlways }))
		},
		"memory": func(t *testing.T) *Store { return open(t, "", with(func(o *Options) { o.InMemory = true })) },
	}
	suite := map[string]func(t *testing.T, s *Store){
		"rollout":             testRolloutRoundTrip,
		"create twice":        testCreateTwice,
		"create at once":      testCreateAtOnce,
		"list":                testList,
		"list of states":      testListStates,
		"unfinished":          testUnfinished,
		"tree":                testTreeRoundTrip,
		"tree without nodes":  testTreeWithoutNodes,
		"refused rounds":      testRefusedRounds,
		"large round":         testLargeRound,
		"completed":           testCompleted,
		"completed meanwhile": testCompletedMeanwhile,
		"events":              testEvents,
		"event order":         testEventOrder,
		"cancelled context":   testCancelledContext,
		"closed":              testClosed,
	}
	for mode, open := range modes {
		t.Run(mode, func(t *testing.T) {
			for name, test := range suite {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					s := open(t)
					test(t, s)
					if s.closed {
						return
					}
					checkClean(t, s)
				})
			}
		})
	}
}

func testRolloutRoundTrip(t *testing.T, s *Store) {
	r := testRollout("r1", "t1", "t2")
	stored, created, err := s.CreateRollout(t.Context(), r)
	if err != nil || !created || !reflect.DeepEqual(stored, r) {
		t.Fatalf("CreateRollout = %+v, %v, %v", stored, created, err)
	}
	r.State, r.Started, r.Done = sparkd.RolloutRunning, epoch, 1
	r.Stats.Leaves = 8
	r.Error = &sparkd.Error{Code: sparkd.CodeEngine, Message: "m", Remedy: "r"}
	r.Trees = []string{"t1", "t3"}
	if err := s.PutRollout(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Rollout(t.Context(), "r1"); err != nil || !reflect.DeepEqual(got, r) {
		t.Fatalf("Rollout = %+v, %v, want %+v", got, err, r)
	}
	_, err = s.Rollout(t.Context(), "r")
	wantCode(t, err, sparkd.CodeNotFound)
	wantCode(t, s.PutRollout(t.Context(), testRollout("r2")), sparkd.CodeNotFound)
	_, _, err = s.CreateRollout(t.Context(), testRollout("a\x00b"))
	wantCode(t, err, sparkd.CodeInvalid)
}

func testCreateTwice(t *testing.T, s *Store) {
	first := testRollout("r", "t1")
	if _, _, err := s.CreateRollout(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	again := testRollout("r", "t2") // the caller repeats the request; its trees are not used
	again.Created = epoch.Add(time.Hour)
	stored, created, err := s.CreateRollout(t.Context(), again)
	if err != nil || created || !reflect.DeepEqual(stored, first) {
		t.Fatalf("second CreateRollout = %+v, %v, %v", stored, created, err)
	}
	again.Spec.Seed++
	_, created, err = s.CreateRollout(t.Context(), again)
	if e := wantCode(t, err, sparkd.CodeConflict); e.Field != "id" || e.Remedy == "" || created {
		t.Fatalf("error %+v names field %q, remedy %q", e, e.Field, e.Remedy)
	}
}

// testCreateAtOnce: of many callers with one id and two specs, one creates.
func testCreateAtOnce(t *testing.T, s *Store) {
	var mu sync.Mutex
	count := map[string]int{}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			r := testRollout("r")
			r.Spec.Seed = uint64(i % 2)
			_, created, err := s.CreateRollout(t.Context(), r)
			mu.Lock()
			defer mu.Unlock()
			count[fmt.Sprint(created, sparkd.CodeOf(err))]++
		})
	}
	wg.Wait()
	want := map[string]int{"true": 1, "false": 15, "falseconflict": 16}
	if !reflect.DeepEqual(count, want) {
		t.Fatalf("outcomes %v, want %v", count, want)
	}
}

func testUnfinished(t *testing.T, s *Store) {
	states := map[string]sparkd.RolloutState{"q": sparkd.RolloutQueued, "u": sparkd.RolloutRunning,
		"d": sparkd.RolloutDone, "f": sparkd.RolloutFailed, "c": sparkd.RolloutCanceled}
	for id, state := range states {
		r := testRollout(id)
		if id == "u" {
			r.Trees = []string{"t1", "t2", "t3"}
		}
		if _, _, err := s.CreateRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		r.State = state
		if err := s.PutRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	putTree(t, s, testTree("t3", "u"), 2, false)
	putTree(t, s, testTree("t1", "u"), 2, true)
	got, err := s.Unfinished(t.Context())
	if err != nil || len(got) != 2 || got[0].ID != "q" || got[1].ID != "u" {
		t.Fatalf("Unfinished = %+v, %v", got, err)
	}
	for id, state := range map[string]sparkd.TreeState{"t1": sparkd.TreeDone, "t3": sparkd.TreeGrowing} {
		if h, err := s.Head(t.Context(), id); err != nil || h.ID != id || h.State != state || h.Nodes != nil {
			t.Errorf("Head(%s) = %+v, %v", id, h, err)
		}
	}
	_, err = s.Head(t.Context(), "t2")
	wantCode(t, err, sparkd.CodeNotFound)
}

func testTreeRoundTrip(t *testing.T, s *Store) {
	s.CreateRollout(t.Context(), testRollout("r", "t1"))
	tree := testTree("t1", "r")
	_, err := s.Tree(t.Context(), "t1")
	wantCode(t, err, sparkd.CodeNotFound)
	rng := seeded(3)
	for round := range 12 {
		first := addRound(tree, rng, 1+round%5, 10*round)
		if err := s.PutRound(t.Context(), tree, first); err != nil {
			t.Fatal(err)
		}
		sameTree(t, s, tree)
	}
	tree.State, tree.Finished = sparkd.TreeCanceled, epoch // no new nodes
	if err := s.PutRound(t.Context(), tree, len(tree.Nodes)); err != nil {
		t.Fatal(err)
	}
	sameTree(t, s, tree)
}

func testTreeWithoutNodes(t *testing.T, s *Store) {
	s.CreateRollout(t.Context(), testRollout("r", "t1"))
	tree := testTree("t1", "r")
	tree.State, tree.Error = sparkd.TreeFailed, &sparkd.Error{Code: sparkd.CodeEnv, Message: "no such house"}
	if err := s.PutRound(t.Context(), tree, 0); err != nil {
		t.Fatal(err)
	}
	sameTree(t, s, tree)
}

func testRefusedRounds(t *testing.T, s *Store) {
	s.CreateRollout(t.Context(), testRollout("r", "t1", "t2"))
	rng := seeded(4)
	tree := testTree("t1", "r")
	addRound(tree, rng, 1, 0)
	if err := s.PutRound(t.Context(), tree, 0); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*sparkd.Tree)) *sparkd.Tree {
		c := *tree
		c.Nodes = slices.Clone(tree.Nodes)
		addRound(&c, rng, 2, 5)
		f(&c)
		return &c
	}
	tests := map[string]struct {
		tree  *sparkd.Tree
		first int
		code  sparkd.Code
	}{
		"the same round again": {tree, 0, sparkd.CodeConflict},
		"a round left out":     {change(func(*sparkd.Tree) {}), 2, sparkd.CodeConflict},
		"another rollout":      {change(func(c *sparkd.Tree) { c.Rollout = "x" }), 1, sparkd.CodeConflict},
		"no id":                {change(func(c *sparkd.Tree) { c.ID = "" }), 1, sparkd.CodeInvalid},
		"no rollout":           {change(func(c *sparkd.Tree) { c.Rollout = "" }), 1, sparkd.CodeInvalid},
		"no state":             {change(func(c *sparkd.Tree) { c.State = "" }), 1, sparkd.CodeInvalid},
		"first too large":      {change(func(*sparkd.Tree) {}), 4, sparkd.CodeInvalid},
		"first negative":       {change(func(*sparkd.Tree) {}), -1, sparkd.CodeInvalid},
		"wrong id":             {change(func(c *sparkd.Tree) { c.Nodes[2].ID = 5 }), 1, sparkd.CodeInvalid},
		"parent is younger":    {change(func(c *sparkd.Tree) { c.Nodes[1].Parent = 2 }), 1, sparkd.CodeInvalid},
		"two roots":            {change(func(c *sparkd.Tree) { c.Nodes[1].Parent = -1 }), 1, sparkd.CodeInvalid},
		"wrong depth":          {change(func(c *sparkd.Tree) { c.Nodes[1].Depth = 3 }), 1, sparkd.CodeInvalid},
		"logprobs too short": {
			change(func(c *sparkd.Tree) { c.Nodes[1].Spans[0].Logprobs = []float32{1} }),
			1, sparkd.CodeInvalid,
		},
		"wrong first node": {
			&sparkd.Tree{ID: "t2", Rollout: "r", State: sparkd.TreeGrowing, Nodes: []*sparkd.Node{{Parent: 0}}},
			0, sparkd.CodeInvalid,
		},
	}
	for name, test := range tests {
		if err := s.PutRound(t.Context(), test.tree, test.first); sparkd.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want code %s", name, err, test.code)
		}
	}
	sameTree(t, s, tree)
	done := change(func(c *sparkd.Tree) { c.State = sparkd.TreeDone })
	if err := s.PutRound(t.Context(), done, 1); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.PutRound(t.Context(), done, len(done.Nodes)), sparkd.CodeConflict)
}

// testLargeRound: a round of nodes above 1 MB each, which is more than a record holds, and in
// all more than a batch.
func testLargeRound(t *testing.T, s *Store) {
	s.CreateRollout(t.Context(), testRollout("r", "t1"))
	tree := testTree("t1", "r")
	rng := seeded(5)
	for _, tokens := range []int{0, 100_000, 10} {
		first := addRound(tree, rng, 4, tokens)
		if err := s.PutRound(t.Context(), tree, first); err != nil {
			t.Fatal(err)
		}
	}
	sameTree(t, s, tree)
	if r := checkClean(t, s); r.Leftovers > 0 {
		t.Fatalf("%d leftovers", r.Leftovers)
	}
}

func testCancelledContext(t *testing.T, s *Store) {
	ctx, cancel := context.WithCancel(t.Context())
	s.CreateRollout(ctx, testRollout("r", "t1", "t2"))
	putTree(t, s, testTree("t1", "r"), 1, true)
	cancel()
	tree := testTree("t2", "r")
	addRound(tree, seeded(1), 1, 1)
	wantCode(t, s.PutRound(ctx, tree, 0), sparkd.CodeCanceled)
	_, err := s.Tree(ctx, "t1")
	wantCode(t, err, sparkd.CodeCanceled)
	_, err = s.Check(ctx)
	wantCode(t, err, sparkd.CodeCanceled)
	for e, err := range s.Completed(ctx, Filter{}) {
		if sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Fatalf("Completed with a cancelled context: %+v, %v", e, err)
		}
	}
}

func testClosed(t *testing.T, s *Store) {
	shut(t, s)
	shut(t, s)
	_, _, err := s.CreateRollout(t.Context(), testRollout("r"))
	wantCode(t, err, sparkd.CodeUnavailable)
	_, err = s.Events(t.Context(), "", 1)
	wantCode(t, err, sparkd.CodeUnavailable)
	for _, err := range s.Completed(t.Context(), Filter{}) {
		wantCode(t, err, sparkd.CodeUnavailable)
	}
}
