package branching

import (
	"math"
	"testing"

	"sparkd"
)

// TestExpandRandom: M 2, N 2, L 1 make 6 leaves, at the cost of about 4 chains where
// forks land mid-way: M·(1 + L·N/2).
func TestExpandRandom(t *testing.T) {
	for _, name := range []string{"expand-random", "tree-grpo"} {
		p := policy(t, sparkd.Policy{Name: name}, 30)
		const steps, seeds = 30, 2000
		cost := 0.0 // in chains
		for seed := range uint64(seeds) {
			tree := leaves()
			chain(tree, steps, failure)
			chain(tree, steps, failure)
			got := p.Next(tree, sparkd.Budget{Leaves: 6}, PolicyRand(seed, tree.Round))
			if k, _ := total(got); k != 4 {
				t.Fatalf("seed %d: %s, want 4 new leaves", seed, brief(got))
			}
			for _, x := range got {
				if x.Node == steps || x.Node == 2*steps {
					t.Fatalf("seed %d: leaf %d is expanded", seed, x.Node)
				}
				cost += float64(x.K*(steps-tree.Nodes[x.Node].Depth)) / steps
			}
		}
		// Depths 0 to 29 are drawn alike: 31/60 of a chain each, with a standard error of .013.
		if cost = 2 + cost/seeds; math.Abs(cost-(2+4*31./60)) > .06 {
			t.Errorf("%s: %.3f chains, want about 4.07", name, cost)
		}
	}
}

func TestExpandRandomRounds(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "expand-random", Iterations: new(2)}, 30)
	tree := leaves()
	chain(tree, 3, failure)
	chain(tree, 3, failure)
	for round := 1; round <= 2; round++ {
		got := p.Next(tree, sparkd.Budget{Leaves: 100}, PolicyRand(5, tree.Round))
		if k, _ := total(got); k != 4 {
			t.Fatalf("round %d: %s", round, brief(got))
		}
		for _, x := range got {
			for range x.K {
				branch(tree, x.Node, 1, x.Reason, failure)
				tree.Round--
			}
		}
		tree.Round++
	}
	got := p.Next(tree, sparkd.Budget{Leaves: 100}, PolicyRand(5, tree.Round))
	if len(got) > 0 || len(tree.Leaves()) != 10 {
		t.Errorf("%d leaves, then %s; want M·(1 + L·N) = 10", len(tree.Leaves()), brief(got))
	}
}

// TestTreesOfForks: a fork inside a root's own step stays in that root's tree.
func TestTreesOfForks(t *testing.T) {
	tree := leaves("", "")
	fork := step(tree, 0, "")
	fork.Decision = sparkd.Decision{Of: 2, SharedTokens: 3}
	step(tree, fork.ID, "")
	if got := newView(tree, 30).trees(); got[1] != 1 || got[2] != 2 || got[3] != 2 || got[4] != 2 {
		t.Errorf("trees %v", got)
	}
}
