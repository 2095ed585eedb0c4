package store

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sparkd"
)

func completedIDs(t *testing.T, s *Store, f Filter) (ids []string, last string) {
	t.Helper()
	for e, err := range s.Completed(t.Context(), f) {
		if err != nil {
			t.Fatalf("Completed(%+v): %v", f, err)
		}
		if e.Tree.ID != e.ID {
			t.Fatalf("entry %s holds tree %s", e.ID, e.Tree.ID)
		}
		ids, last = append(ids, e.ID), e.Cursor
	}
	return ids, last
}

func testCompleted(t *testing.T, s *Store) {
	var all, even, even2 []string
	for _, r := range []string{"r0", "r1"} {
		var trees []string
		for i := range 300 {
			trees = append(trees, fmt.Sprint("t", r, i))
		}
		s.CreateRollout(t.Context(), testRollout(r, trees...))
	}
	for i := range 300 { // more than a page
		r := fmt.Sprint("r", i%2)
		tree := testTree(fmt.Sprint("t", r, i), r)
		putTree(t, s, tree, 1, true)
		all = append(all, tree.ID)
		if i%2 == 0 {
			even = append(even, tree.ID)
		}
	}
	even2 = even[:10]
	putTree(t, s, testTree("tr0299", "r0"), 1, false) // growing: not in the log

	if got, _ := completedIDs(t, s, Filter{}); !slices.Equal(got, all) {
		t.Fatalf("all: %v", got)
	}
	if got, _ := completedIDs(t, s, Filter{Rollout: "r0"}); !slices.Equal(got, even) {
		t.Fatalf("one rollout: %v", got)
	}
	if got, _ := completedIDs(t, s, Filter{Rollout: "r"}); len(got) > 0 {
		t.Fatalf("a prefix of a rollout's id: %v", got)
	}
	got, cursor := completedIDs(t, s, Filter{Rollout: "r0", Limit: 10})
	if !slices.Equal(got, even2) {
		t.Fatalf("limit: %v", got)
	}
	if got, _ = completedIDs(t, s, Filter{Rollout: "r0", After: cursor}); !slices.Equal(got, even[10:]) {
		t.Fatalf("resumed: %v", got)
	}
	for e, err := range s.Completed(t.Context(), Filter{}) { // leaving early leaves nothing behind
		if err != nil || e.ID != all[0] {
			t.Fatal(e, err)
		}
		break
	}
	for _, err := range s.Completed(t.Context(), Filter{After: "no cursor"}) {
		wantCode(t, err, sparkd.CodeInvalid)
	}
}

// testCompletedMeanwhile: a reader that resumes again and again while trees finish
// sees every tree once.
func testCompletedMeanwhile(t *testing.T, s *Store) {
	const writers, each = 4, 25
	var trees []string
	for i := range writers * each {
		trees = append(trees, fmt.Sprint("t", i))
	}
	s.CreateRollout(t.Context(), testRollout("r", trees...))
	wake, cancel := s.Subscribe()
	defer cancel()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				putTree(t, s, testTree(trees[w*each+i], "r"), 2, true)
			}
		})
	}
	seen := map[string]int{}
	for cursor := ""; len(seen) < len(trees); {
		select {
		case <-wake:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d trees after 30 s", len(seen), len(trees))
		}
		ids, last := completedIDs(t, s, Filter{After: cursor, Rollout: "r"})
		for _, id := range ids {
			seen[id]++
		}
		if last != "" {
			cursor = last
		}
	}
	wg.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("tree %s was seen %d times", id, n)
		}
	}
}

func testEvents(t *testing.T, s *Store) {
	r := testRollout("r", "t1")
	s.CreateRollout(t.Context(), r)
	r.State = sparkd.RolloutRunning
	s.PutRollout(t.Context(), r)
	r.Done = 1 // no change of state: no event
	s.PutRollout(t.Context(), r)
	putTree(t, s, testTree("t1", "r"), 2, true)
	events, err := s.Events(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range events {
		if e.Seq != uint64(i+1) || e.Time.IsZero() || e.Stats == nil {
			t.Errorf("event %d: %+v", i, e)
		}
		got = append(got, fmt.Sprintf("%s %s%s %s %d", e.Kind, e.Rollout, e.Tree, e.State, e.Round))
	}
	want := []string{
		"rollout r queued 0", "rollout r running 0", "round rt1 growing 1", "round rt1 done 2", "tree rt1 done 2",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
	for _, after := range []string{"2", events[1].Cursor} {
		if tail, err := s.Events(t.Context(), after, 2); err != nil || !reflect.DeepEqual(tail, events[2:4]) {
			t.Fatalf("Events(%q, 2) = %+v, %v", after, tail, err)
		}
	}
	if at, err := s.LastEvent(t.Context()); err != nil || at != events[4].Cursor {
		t.Errorf("LastEvent = %q, %v", at, err)
	}
}

// testEventOrder: a reader that asks for what is after the last number it has seen,
// while many commit, never misses one.
func testEventOrder(t *testing.T, s *Store) {
	const writers, each = 8, 50
	s.CreateRollout(t.Context(), testRollout("r", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"))
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { putTree(t, s, testTree(fmt.Sprint("t", w), "r"), each, false) })
	}
	const total = 1 + writers*each
	for last, after := uint64(0), ""; last < total; {
		events, err := s.Events(t.Context(), after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Seq != last+1 {
				t.Fatalf("event %d follows %d", e.Seq, last)
			}
			last, after = e.Seq, e.Cursor
		}
	}
	wg.Wait()
}
