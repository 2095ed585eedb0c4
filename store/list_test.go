package store

import (
	"slices"
	"testing"
	"time"

	"sparkd"
	"sparkd/store/storetest"
)

// listIDs reads a list page by page.
func listIDs(t *testing.T, s *Store, l List) (ids []string) {
	t.Helper()
	for more := true; more; more = l.After != "" {
		page, next, err := s.Rollouts(t.Context(), l)
		if err != nil || len(page) > l.Limit {
			t.Fatalf("Rollouts(%+v) = %d rollouts, %v", l, len(page), err)
		}
		for _, r := range page {
			ids = append(ids, r.ID)
		}
		l.After = next
	}
	return ids
}

// testList: what counts is the order of creation, not ids, and not clocks, which are set back here.
func testList(t *testing.T, s *Store) {
	ids := []string{"z", "ab", "a.b", "b", "a", "a-b"}
	for i, id := range ids {
		if i == 3 {
			listIDs(t, s, List{Limit: 1}) // from here on the list is kept up
		}
		r := testRollout(id)
		r.Created = epoch.Add(-time.Duration(i) * time.Hour)
		if _, _, err := s.CreateRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	again := testRollout("z")
	s.CreateRollout(t.Context(), again)
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for limit := 1; limit <= 7; limit++ {
		if got := listIDs(t, s, List{Limit: limit, Oldest: true}); !slices.Equal(got, ids) {
			t.Fatalf("limit %d, oldest first: %v, want %v", limit, got, ids)
		}
		if got := listIDs(t, s, List{Limit: limit}); !slices.Equal(got, newest) {
			t.Fatalf("limit %d: %v, want %v", limit, got, newest)
		}
	}
}

func testListStates(t *testing.T, s *Store) {
	states := []sparkd.RolloutState{sparkd.RolloutQueued, sparkd.RolloutRunning, sparkd.RolloutDone}
	for i, id := range []string{"q0", "r1", "d2", "q3", "r4", "d5"} {
		r := testRollout(id)
		s.CreateRollout(t.Context(), r)
		r.State = states[i%3]
		if err := s.PutRollout(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		states []sparkd.RolloutState
		want   []string
	}{
		{states[:1], []string{"q3", "q0"}},
		{states[1:], []string{"d5", "r4", "d2", "r1"}},
		{[]sparkd.RolloutState{sparkd.RolloutFailed}, nil},
	} {
		for limit := 1; limit <= 4; limit++ {
			if got := listIDs(t, s, List{Limit: limit, States: test.states}); !slices.Equal(got, test.want) {
				t.Errorf("%v, limit %d: %v, want %v", test.states, limit, got, test.want)
			}
		}
	}
	page, next, err := s.Rollouts(t.Context(), List{Limit: 2, States: states[:1]})
	if err != nil || len(page) != 2 || next != "" {
		t.Errorf("a full page with nothing behind it: next %q, %v", next, err)
	}
}

// TestListOld: rollouts of earlier versions come in the order of their times, new ones before them, also when the
// folder is opened again.
func TestListOld(t *testing.T) {
	s := open(t, storetest.Format1(t).Data, testOptions())
	old := listIDs(t, s, List{Limit: 3, Oldest: true})
	var last time.Time
	for _, id := range old {
		r, err := s.Rollout(t.Context(), id)
		if err != nil || r.Created.Before(last) {
			t.Errorf("%s of %v behind %v, %v", id, r.Created, last, err)
		}
		last = r.Created
	}
	s.CreateRollout(t.Context(), testRollout("AAA"))
	want := append(slices.Clone(old), "AAA")
	for range 2 {
		if got := listIDs(t, s, List{Limit: 100, Oldest: true}); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		s = reopen(t, s)
	}
}

// TestOwner finds the rollout of a tree that has no record.
func TestOwner(t *testing.T) {
	s := open(t, "", with(func(o *Options) { o.InMemory = true }))
	ids := []string{sparkd.NewID(epoch), sparkd.NewID(epoch), sparkd.NewID(epoch), sparkd.NewID(epoch)}
	s.CreateRollout(t.Context(), testRollout("a", ids[:1]...))
	s.CreateRollout(t.Context(), testRollout("b", ids[1:3]...))
	for i, want := range []string{"a0", "b0", "b1", "-1"} {
		r, n, err := s.Owner(t.Context(), ids[i])
		if want == "-1" {
			wantCode(t, err, sparkd.CodeNotFound)
		} else if err != nil || r.ID != want[:1] || n != int(want[1]-'0') {
			t.Errorf("tree %d: place %d of %q, %v", i, n, r.ID, err)
		}
	}
	_, _, err := s.Owner(t.Context(), "t1")
	wantCode(t, err, sparkd.CodeNotFound)
}
