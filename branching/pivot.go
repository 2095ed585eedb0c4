package branching

import (
	"math"

	"sparkd"
)

// pivot is DEEP-GRPO's rule (arXiv 2602.14169): M chains to their end; then, of every
// chain that failed (return at most the threshold), pivots are drawn without replacement
// and B continuations are grown from each. The weight of the node after i of T steps is
//
//	P(success | i/T) · (i/T)^γ
//
// where P is a logistic regression on what earlier pivots at that relative position came to, and uniform until there
// are more than ten of them with both outcomes. The released code fits it over the last 10,000 pivots of a training
// run; a policy that is a function of the tree has the pivots of the tree, and a round draws one for every chain, so
// that the next can learn from it. The opening is no candidate: from there a continuation is just another root.
func pivot(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		const reason = "pivot"
		if len(v.live) > 0 {
			return nil
		}
		used, chains := v.born(reason), v.chains(reason)
		chance := v.recovery(used, chains)
		var proposals []proposal
		for _, leaf := range chains {
			if v.tree.Earned(leaf.ID).Compare(sparkd.Given(*p.ReturnThreshold)) > 0 {
				continue
			}
			var nodes []int
			var positions []float64
			drawn := 0
			for n := v.parent(leaf); n.ID > 0; n = v.parent(n) {
				if used[n.ID] {
					drawn++
				} else if v.inner(n.ID) {
					nodes = append(nodes, n.ID)
					positions = append(positions, float64(n.Depth)/float64(leaf.Depth))
				}
			}
			if drawn >= *p.Picks || len(nodes) == 0 {
				continue
			}
			weights := pivotWeights(positions, *p.PositionExponent, chance)
			i := draw(v.rng.Float64(), weights)
			proposals = append(proposals, proposal{node: nodes[i], more: *p.Branch, reason: reason, score: weights[i]})
		}
		shuffle(v.rng, proposals)
		return proposals
	}
}

// pivotWeights returns the probabilities of nodes at relative positions.
func pivotWeights(positions []float64, exponent float64, chance func(float64) float64) []float64 {
	out, sum := make([]float64, len(positions)), 0.0
	for i, x := range positions {
		out[i] = chance(x) * math.Pow(x, exponent)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// draw returns the index that u in [0, 1) falls to.
func draw(u float64, probabilities []float64) int {
	for i, p := range probabilities {
		if u -= p; u < 0 {
			return i
		}
	}
	return len(probabilities) - 1
}

// minPivots is how many pivots the regression wants to have seen, and one more.
const minPivots = 10

// recovery returns P(success | position) as the tree's pivots show it: one sample for
// every pivot, a success where any of its continuations won.
func (v *view) recovery(used []bool, chains []*sparkd.Node) func(float64) float64 {
	better := make([]bool, len(used)) // a continuation of the pivot won
	for _, leaf := range v.ended {
		if n := v.grownFor(leaf, "pivot"); n != nil && won(leaf) {
			better[n.Parent] = true
		}
	}
	var x []float64
	var y []bool
	wins := 0
	for _, leaf := range chains {
		for n := v.parent(leaf); n.ID > 0; n = v.parent(n) {
			if used[n.ID] {
				x, y = append(x, float64(n.Depth)/float64(leaf.Depth)), append(y, better[n.ID])
				if better[n.ID] {
					wins++
				}
			}
		}
	}
	if len(x) <= minPivots || wins == 0 || wins == len(x) {
		return func(float64) float64 { return 1 }
	}
	return logistic(x, y)
}

// logistic fits P(y | x) = 1/(1 + exp(−a − b·x)) with the penalty b²/2, scikit-learn's
// default, by Newton's method. y must hold both outcomes.
func logistic(x []float64, y []bool) func(float64) float64 {
	a, b := 0.0, 0.0
	at := func(x float64) float64 { return 1 / (1 + math.Exp(-a-b*x)) }
	for range 20 {
		ga, gb, haa, hab, hbb := 0.0, -b, 1e-9, 0.0, 1.0
		for i, x := range x {
			p := at(x)
			w, d := p*(1-p), -p
			if y[i] {
				d++
			}
			ga, gb = ga+d, gb+d*x
			haa, hab, hbb = haa+w, hab+w*x, hbb+w*x*x
		}
		det := haa*hbb - hab*hab
		a += (hbb*ga - hab*gb) / det
		b += (haa*gb - hab*ga) / det
	}
	return at
}
