package branching

import (
	"reflect"
	"testing"

	"sparkd"
)

// TestAttempts is BranPO's table.
func TestAttempts(t *testing.T) {
	for _, tt := range []struct {
		accuracy  float64
		won, slow bool
		want      []attempt
	}{
		{.75, true, true, []attempt{{2, 6}}},
		{1, true, false, []attempt{{1, 2}}},
		{1, true, true, []attempt{{1, 2}}},
		{.25, false, false, []attempt{{1, 3}, {2, 3}, {3, 3}}},
		{0, false, true, []attempt{{1, 3}, {2, 3}, {3, 3}}},
		{.25, true, false, []attempt{{1, 3}, {2, 3}}},
		{.5, false, false, []attempt{{1, 3}, {2, 3}}},
		{.9, false, false, []attempt{{1, 3}, {2, 3}}},
		{.9, true, false, nil},
	} {
		if got := attempts(tt.accuracy, tt.won, tt.slow); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}

// TestTail: every failed chain of a hard task is tried from one, two, then three steps
// before its end, until a branch wins.
func TestTail(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "tail"}, 30)
	budget := sparkd.Budget{Leaves: 100}
	tree := leaves()
	chain(tree, 5, failure) // nodes 1 to 5
	chain(tree, 4, failure) // nodes 6 to 9
	next := func() string { return brief(p.Next(tree, budget, PolicyRand(1, tree.Round))) }
	if got := next(); got != "4×3:tail 8×3:tail" {
		t.Fatalf("one step before the end: %s", got)
	}
	branch(tree, 4, 1, "tail", failure)
	branch(tree, 8, 2, "tail", success)
	if got := next(); got != "3×3:tail" {
		t.Fatalf("two steps before the end, where there is no contrast yet: %s", got)
	}
	live := branch(tree, 3, 2, "tail", failure)
	live.Done, live.Outcome = false, ""
	if got := next(); got != "14×1:linear" {
		t.Fatalf("a branch grows to its end: %s", got)
	}
	finish(live, failure)
	if got := next(); got != "2×3:tail" {
		t.Fatalf("three steps before the end: %s", got)
	}
	branch(tree, 2, 1, "tail", failure)
	if got := next(); got != "" {
		t.Errorf("nothing is left to try: %s", got)
	}
}

// TestTailOfSolvedTask: with every chain a success, a shorter success is the contrast.
func TestTailOfSolvedTask(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "tail"}, 30)
	tree := leaves()
	chain(tree, 3, success)
	chain(tree, 1, success) // too short to have a tail
	if got := brief(p.Next(tree, sparkd.Budget{Leaves: 9}, PolicyRand(1, tree.Round))); got != "2×2:tail" {
		t.Fatal(got)
	}
	base := tree.Nodes[3]
	for _, tt := range []struct {
		steps int
		won   sparkd.Outcome
		want  bool
	}{{1, success, false}, {1, failure, true}} {
		branch(tree, 2, tt.steps, "tail", tt.won)
		if got := newView(tree, 30).contrasted("tail", []*sparkd.Node{base}); got[0] != tt.want {
			t.Errorf("%s in %d steps: contrast %v", tt.won, 2+tt.steps, got[0])
		}
	}
}
