package branching

import (
	"math"
	"testing"

	"sparkd"
)

// TestPivotWeights is DEEP-GRPO's worked case: T 5, four candidates, uniform P, γ .1.
func TestPivotWeights(t *testing.T) {
	uniform := func(float64) float64 { return 1 }
	got := pivotWeights([]float64{1. / 5, 2. / 5, 3. / 5, 4. / 5}, .1, uniform)
	for i, want := range []float64{.2306, .2471, .2574, .2649} {
		if math.Abs(got[i]-want) > 5e-5 {
			t.Errorf("weight %d is %.5f, want %.4f", i, got[i], want)
		}
	}
}

// TestPivot: of a chain of five steps the nodes after one to four are drawn with these
// weights; chains above the threshold are left alone, and no pivot is drawn twice.
func TestPivot(t *testing.T) {
	p := policy(t, sparkd.Policy{Name: "pivot", Picks: new(4)}, 30)
	budget := sparkd.Budget{Leaves: 100}
	tree := leaves()
	chain(tree, 5, failure)
	chain(tree, 5, success)
	drawn := map[int]int{}
	const seeds = 10_000
	for seed := range uint64(seeds) {
		got := p.Next(tree, budget, PolicyRand(seed, tree.Round))
		if len(got) != 1 || got[0].K != 4 || got[0].Reason != "pivot" {
			t.Fatalf("seed %d: %s", seed, brief(got))
		}
		drawn[got[0].Node]++
	}
	for i, want := range []float64{.2306, .2471, .2574, .2649} {
		if share := float64(drawn[i+1]) / seeds; math.Abs(share-want) > .022 { // 5 standard errors
			t.Errorf("node %d drawn %.4f, want %.4f", i+1, share, want)
		}
	}
	seen := map[int]bool{}
	for range 4 {
		got := p.Next(tree, budget, PolicyRand(3, tree.Round))
		if len(got) != 1 || seen[got[0].Node] {
			t.Fatalf("%s after %v", brief(got), seen)
		}
		seen[got[0].Node] = true
		branch(tree, got[0].Node, 1, "pivot", failure)
	}
	if got := p.Next(tree, budget, PolicyRand(3, tree.Round)); len(got) > 0 {
		t.Errorf("a fifth pivot: %s", brief(got))
	}
}

// TestRecovery: P stays uniform until more than ten pivots came to both outcomes, and
// then follows them.
func TestRecovery(t *testing.T) {
	tree := leaves()
	for i := range 12 {
		leaf := chain(tree, 4, failure)
		back, outcome := 1, success // late pivots recover
		if i%2 == 0 {
			back, outcome = 3, failure
		}
		from := newView(tree, 30).before(leaf, back)
		if i == 10 { // ten pivots so far
			if p := chanceIn(tree); p(.25) != 1 || p(.75) != 1 {
				t.Error("ten pivots are learnt from")
			}
		}
		branch(tree, from, 1, "pivot", outcome)
		branch(tree, from, 1, "pivot", failure)
	}
	p := chanceIn(tree)
	if p(.75) <= .5 || p(.25) >= .5 || math.Abs(p(.25)+p(.75)-1) > 1e-9 {
		t.Errorf("P(.25) = %v, P(.75) = %v; want it to rise through ½ at the middle", p(.25), p(.75))
	}
}

func chanceIn(t *sparkd.Tree) func(float64) float64 {
	v := newView(t, 30)
	return v.recovery(v.born("pivot"), v.chains("pivot"))
}

// TestLogistic: at the fit the gradient of the penalised likelihood is zero.
func TestLogistic(t *testing.T) {
	for seed := range uint64(50) {
		rng := PolicyRand(seed, 0)
		x, y := make([]float64, 40), make([]bool, 40)
		for i := range x {
			x[i], y[i] = rng.Float64(), rng.Float64() < .1+.8*rng.Float64()*float64(seed%3)/2
		}
		y[0], y[1] = true, false
		p := logistic(x, y)
		logit := func(x float64) float64 { return math.Log(p(x) / (1 - p(x))) }
		a, b := logit(0), logit(1)-logit(0)
		ga, gb := 0.0, -b
		for i := range x {
			d := -p(x[i])
			if y[i] {
				d++
			}
			ga, gb = ga+d, gb+d*x[i]
		}
		if math.Abs(ga) > 1e-6 || math.Abs(gb) > 1e-6 {
			t.Errorf("seed %d: gradient %g, %g at a = %g, b = %g", seed, ga, gb, a, b)
		}
	}
}
