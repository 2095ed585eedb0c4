package branching

import (
	"reflect"
	"testing"

	"sparkd"
)

// TestSplit is TreePO's worked case, 7 over 3, and its edges.
func TestSplit(t *testing.T) {
	for _, tt := range []struct {
		width, paths int
		want         []int
	}{{7, 3, []int{2, 2, 3}}, {3, 3, []int{1, 1, 1}}, {2, 3, []int{1, 1, 1}}, {16, 1, []int{16}}, {5, 2, []int{2, 3}}} {
		if got := split(tt.width, tt.paths); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%d over %d: %v, want %v", tt.width, tt.paths, got, tt.want)
		}
	}
}

// TestWidthSplit: a path that finished in the last round passes its share on.
func TestWidthSplit(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "width-split", Roots: new(4)}, 30)
	tree := leaves("", "", "", "")
	next := func(leaves int) string {
		return brief(p.Next(tree, sparkd.Budget{Leaves: leaves}, PolicyRand(1, 1)))
	}
	if got := next(16); got != "1×2:width-split 2×2:width-split 3×2:width-split 4×2:width-split" {
		t.Errorf("B 2 for every path: %s", got)
	}
	finish(tree.Nodes[2], failure)
	if got := next(8); got != "1×2:width-split 3×2:width-split 4×3:width-split" {
		t.Errorf("7 over 3: %s", got)
	}
	if got := next(4); got != "1×1:linear 3×1:linear 4×1:linear" {
		t.Errorf("no width left: %s", got)
	}
}

// TestFirstDivergence: 2 to 8 roots, each number about as often.
func TestFirstDivergence(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "width-split"}, 30)
	seen := map[int]int{}
	for seed := range uint64(7000) {
		seen[p.Next(leaves(), sparkd.Budget{Leaves: 16}, PolicyRand(seed, 0))[0].K]++
	}
	for k := 2; k <= 8; k++ {
		if seen[k] < 850 || seen[k] > 1150 { // 5.1 standard deviations
			t.Errorf("%d roots %d times of 7000", k, seen[k])
		}
	}
	if len(seen) != 7 {
		t.Errorf("drew %v", seen)
	}
}
