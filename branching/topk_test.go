package branching

import (
	"math"
	"testing"

	"sparkd"
)

// TestCrowded is AT²PO's worked case: .90 alone beats .92 with a sibling, which counts .87.
func TestCrowded(t *testing.T) {
	alone, pair := crowded(.90, 1, .05), crowded(.92, 2, .05)
	if alone != .90 || math.Abs(pair-.87) > 1e-12 || alone <= pair {
		t.Errorf("scores %v and %v, want .90 and .87", alone, pair)
	}
}

// TestTopK: two rounds of six new steps each make 22 leaves of ten chains, and the
// highest scores are chosen.
func TestTopK(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "topk-entropy"}, 30)
	budget := sparkd.Budget{Leaves: 22}
	tree := leaves()
	for i := range 10 {
		leaf := chain(tree, 3, failure)
		for d, h := range []float32{.1, .3, .2} { // the second step is the least sure
			said(tree.Nodes[leaf.ID-2+d], -h-float32(i)/100)
		}
	}
	// The best six are the second steps of the last six chains; their parents are expanded.
	got := p.Next(tree, budget, PolicyRand(1, tree.Round))
	want := "13×1:topk-entropy 16×1:topk-entropy 19×1:topk-entropy " +
		"22×1:topk-entropy 25×1:topk-entropy 28×1:topk-entropy"
	if brief(got) != want {
		t.Fatalf("first round %s, want %s", brief(got), want)
	}
	for round := 1; round <= 2; round++ {
		for _, x := range p.Next(tree, budget, PolicyRand(1, tree.Round)) {
			for range x.K {
				said(branch(tree, x.Node, 1, x.Reason, failure), -.01)
			}
			tree.Round-- // one round for all of them
		}
		tree.Round++
		if got := len(tree.Leaves()); got != 10+6*round {
			t.Fatalf("%d leaves after round %d", got, round)
		}
	}
	if got := p.Next(tree, sparkd.Budget{Leaves: 100}, PolicyRand(1, tree.Round)); len(got) > 0 {
		t.Errorf("a third round: %s", brief(got))
	}
}

// TestTopKWrapsAround: where there are fewer steps than K, the list is gone through again.
func TestTopKWrapsAround(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "topk-entropy", Roots: new(1), Picks: new(5)}, 30)
	tree := leaves()
	leaf := chain(tree, 2, failure)
	said(tree.Nodes[1], -.2)
	said(leaf, -.4)
	got := brief(p.Next(tree, sparkd.Budget{Leaves: 22}, PolicyRand(1, tree.Round)))
	if got != "0×2:topk-entropy 1×3:topk-entropy" {
		t.Error(got)
	}
	said(leaf) // no logprobs
	if got := brief(p.Next(tree, sparkd.Budget{Leaves: 22}, PolicyRand(1, tree.Round))); got != "0×5:topk-entropy" {
		t.Error(got)
	}
}
