package branching

import (
	"math"
	"testing"

	"sparkd"
)

// TestContrastValues are TRACE's worked cases.
func TestContrastValues(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want float64
	}{
		{"v .5, m 2", rootValue(.5, 2), .5},
		{"v .5, m 4", rootValue(.5, 4), .875},
		{"v .1, m 4", rootValue(.1, 4), .3438},
		{"r 0, V .6, k 2", prefixValue(.6, false, 2), .84},
		{"r 1, V .6, k 2", prefixValue(.6, true, 2), .64},
		{"no continuation", prefixValue(.6, true, 0), 0},
		{"one root", rootValue(.3, 1), 0},
	} {
		if math.Abs(tt.got-tt.want) > 5e-5 {
			t.Errorf("%s: %.5f, want %.4f", tt.name, tt.got, tt.want)
		}
	}
}

// TestContrastEstimate: V is the mean over the rollouts below a node and one more of the
// value before it.
func TestContrastEstimate(t *testing.T) {
	tree := leaves()
	chain(tree, 2, success) // nodes 1, 2
	chain(tree, 2, failure) // nodes 3, 4
	branch(tree, 1, 1, "contrast", failure)
	v := newView(tree, 30)
	ended, wins := v.tally()
	for node, want := range []float64{(1 + .5) / 4, (1 + .375) / 3, (1 + 1.375/3) / 2, .375 / 2} {
		if got := v.values(ended, wins)[node]; math.Abs(got-want) > 1e-12 {
			t.Errorf("V of node %d is %v, want %v", node, got, want)
		}
	}
}

// TestContrast: with four failed chains the continuations go to the prefixes that still
// look best, not to mixed ones, and the score is the gain.
func TestContrast(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "contrast", Picks: new(1)}, 30)
	tree := leaves()
	chain(tree, 2, failure)
	chain(tree, 2, failure)
	// V(0) = .5/3; a third root gains (1 − V³ − (1−V)³) − (1 − V² − (1−V)²) = V(1−V) = .1389;
	// a continuation of a chain of which nothing else is known gains V(1) = V(0)/2 = .0833.
	got := p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(1, tree.Round))
	if len(got) != 1 || got[0].Node != 0 || math.Abs(got[0].Score-.138889) > 1e-6 {
		t.Errorf("%+v, want another root for .1389", got)
	}
	chain(tree, 2, success)
	chain(tree, 2, success)
	chain(tree, 2, success)
	// V(0) = 3.5/6. Of five mixed roots a sixth gains V⁵(1−V) + (1−V)⁵V = .035; a failed
	// chain gains V(1) = V(0)/2 = .2917 at its only prefix.
	got = p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(1, tree.Round))
	if len(got) != 1 || got[0].Node != 1 || math.Abs(got[0].Score-.291667) > 1e-6 {
		t.Errorf("%+v, want the first failed prefix for .2917", got)
	}
	branch(tree, 1, 1, "contrast", success) // now mixed
	if got = p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(1, tree.Round)); len(got) != 1 || got[0].Node != 3 {
		t.Errorf("%+v, want the other failed prefix", got)
	}
}
