package branching

import (
	"fmt"
	"math"
	"testing"

	"sparkd"
)

func TestForkProbability(t *testing.T) {
	for _, tt := range []struct{ p, w, rise, want float64 }{
		{.5, .2, .5, .60}, {.5, .2, -.4, .42}, {.5, .2, 0, .5},
		{.1, .5, .3, .25}, {.9, 1, .5, 1}, {.1, 1, -.5, 0},
	} {
		if got := forkProbability(tt.p, tt.w, tt.rise); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("clamp(%v + %v·%v) = %v, want %v", tt.p, tt.w, tt.rise, got, tt.want)
		}
	}
}

// TestEntropyChain: ΔH is taken to the first step of the leaf's own path, and the
// probability is recorded as the score.
func TestEntropyChain(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "entropy", Roots: new(2), EntropyAggregate: new(aggregateMean),
		Branch: new(2), EntropyBase: new(.5), EntropyWeight: new(.2)}, 30)
	tree := leaves("", "")
	for _, parent := range []int{1, 2, 3, 4} {
		step(tree, parent, "")
	}
	for id, h := range map[int]float64{1: .2, 2: .6, 5: .7, 6: .2} {
		tree.Nodes[id].Signals = sparkd.Signals{FirstEntropy: h, HasEntropy: true}
	}
	got := p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(3, 3))
	if len(got) != 2 || math.Abs(got[0].Score-.60) > 1e-9 || math.Abs(got[1].Score-.42) > 1e-9 {
		t.Errorf("scores of %+v, want .60 and .42", got)
	}
	tree.Nodes[6].Signals.HasEntropy = false
	for seed := range uint64(20) {
		if x := p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(seed, 3))[1]; x.K != 1 || x.Score != 0 {
			t.Fatalf("seed %d: a step without entropies forks: %+v", seed, x)
		}
	}
}

// TestEntropyAggregates: two positions of {.5, .5} over a vocabulary of 4 are 1 as a sum
// and .5 as a mean, and of a long step only the first 20 tokens count.
func TestEntropyAggregates(t *testing.T) {
	n := &sparkd.Node{Signals: sparkd.Signals{HasEntropy: true, FirstEntropy: math.Ln2 / math.Log(4)}}
	said(n, -.7, -.7)
	for aggregate, want := range map[string]float64{aggregateSum: 1, aggregateMean: .5} {
		if got := stepEntropy(n, aggregate); math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", aggregate, got, want)
		}
	}
	said(n, make([]float32, 50)...)
	if got := stepEntropy(n, aggregateSum); math.Abs(got-10) > 1e-12 {
		t.Errorf("50 tokens sum up to %v, want 10", got)
	}
}

// TestEntropyThreshold is the paper's form: a fork where α + β·ΔH > τ, whatever is drawn.
func TestEntropyThreshold(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "entropy", Roots: new(2), EntropyAggregate: new(aggregateMean),
		EntropyBase: new(.5), EntropyWeight: new(.2), EntropyThreshold: new(.55)}, 30)
	tree := leaves("", "")
	step(tree, 1, "")
	step(tree, 2, "")
	for id, h := range map[int]float64{1: .2, 2: .2, 3: .5, 4: .4} { // .56 and .54
		tree.Nodes[id].Signals = sparkd.Signals{FirstEntropy: h, HasEntropy: true}
	}
	for seed := range uint64(20) {
		if got := brief(p.Next(tree, sparkd.Budget{Leaves: 8}, PolicyRand(seed, 2))); got != "3×2:entropy 4×1:linear" {
			t.Fatalf("seed %d: %s", seed, got)
		}
	}
}

// TestBalanced is AEPO's worked case: U .4, ΔH .5, w .2 and two rounds of forks behind it.
func TestBalanced(t *testing.T) {
	damping := 1 - .05*2
	if x := balancedDraw(.4, .2*.5, damping); math.Abs(x-.45) > 1e-12 || x >= .5 {
		t.Errorf("x = %v, want .45, which does not fork", x)
	}
	if p := balancedProbability(.5, .2*.5, damping); math.Abs(p-.5444) > 5e-5 {
		t.Errorf("P = %v, want .5444", p)
	}
	if p := balancedProbability(.5, 0, 0); p != 0 {
		t.Errorf("P = %v after 20 rounds, want 0", p)
	}
}

// TestPremonitor is AEPO's worked case of 16 trajectories.
func TestPremonitor(t *testing.T) {
	for difference, want := range map[float64]int{.4: 9, -.4: 8, 0: 9, 100: 16, -100: 1} {
		if got := premonitor(16, .5, difference); got != want {
			t.Errorf("H_root − H_tool = %v: %d roots, want %d", difference, got, want)
		}
	}
	if got := premonitor(0, .5, 0); got != 1 {
		t.Errorf("no place left: %d roots", got)
	}
}

// TestPremonitorFollowsTheTree: one probe alone, then the roots that it asks for, then
// forks; a given M begins with the roots.
func TestPremonitorFollowsTheTree(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "entropy-balanced", EntropyAggregate: new(aggregateMean)}, 30)
	budget := sparkd.Budget{Leaves: 17}
	tree := leaves()
	next := func() string { return brief(p.Next(tree, budget, PolicyRand(7, tree.Round))) }
	if got := next(); got != "0×1:probe" {
		t.Fatalf("first round %s", got)
	}
	for id, h := range []float64{0, .6, .3, .1} {
		if id == 0 {
			continue
		}
		n := step(tree, id-1, "")
		n.Signals = sparkd.Signals{HasEntropy: true, FirstEntropy: h}
		n.Decision.Reason = []string{"probe", "linear"}[min(id-1, 1)]
		if got := next(); got != fmt.Sprintf("%d×1:linear", id) {
			t.Fatalf("the probe at step %d: %s", id, got)
		}
	}
	finish(tree.Nodes[3], sparkd.OutcomeFailure)
	if got := next(); got != "0×9:root" { // H_root .6, mean H_tool .2
		t.Fatalf("after the probe: %s", got)
	}
	step(tree, 0, "").Decision.Reason = "root"
	if got := next(); got != "4×1:linear" {
		t.Fatalf("after the roots: %s", got)
	}
	p = policy(t, sparkd.Policy{Name: "entropy-balanced", Roots: new(8)}, 30)
	if got := brief(p.Next(leaves(), budget, PolicyRand(7, 1))); got != "0×8:root" {
		t.Errorf("M 8: %s", got)
	}
}

func TestStreak(t *testing.T) {
	tree := leaves("", "")
	for i, reason := range []string{"x", "linear", "x", "x"} {
		n := step(tree, 1, "")
		n.Round, n.Decision.Reason = 2+i, reason
		step(tree, 2, "").Round = 2 + i
	}
	if got := newView(tree, 30).streak("x"); got != 2 {
		t.Errorf("%d rounds in a row, want 2", got)
	}
	step(tree, 1, "").Round = 6
	if got := newView(tree, 30).streak("x"); got != 0 {
		t.Errorf("%d after a round without, want 0", got)
	}
}
