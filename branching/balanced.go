package branching

import (
	"math"
	"math/rand/v2"
	"slices"

	"sparkd"
)

// probe opens entropy-balanced: one trajectory, grown alone, that the pre-monitor reads.
func probe(*rand.Rand) (int, string) { return 1, "probe" }

// balanced is AEPO's rule (arXiv 2510.14545). The pre-monitor first grows one probe; when that has ended, it says
// how many of the other N−1 leaves begin as roots. Then a live leaf forks as in ARPO, but less and less while the
// tree forks in every round. A given M leaves the pre-monitor out.
func balanced(p *sparkd.Policy) rule {
	fork := leafwise(balancedFork(p), *p.Branch)
	return func(v *view) []proposal {
		if *p.Roots > 0 || v.begun() {
			return fork(v)
		}
		if len(v.live) > 0 {
			return nil
		}
		roots := premonitor(v.most-1, *p.RootSlope, v.probed(*p.EntropyAggregate))
		return []proposal{{more: roots, reason: "root"}}
	}
}

// begun reports whether the roots that follow a probe are there.
func (v *view) begun() bool {
	return slices.ContainsFunc(v.tree.Nodes, func(n *sparkd.Node) bool {
		return n.Parent == 0 && n.Decision.Reason == "root" && !n.Failed()
	})
}

// probed returns H_root − mean H_tool of the probe: the entropy of its first step over
// that of the steps that followed an answer of the environment.
func (v *view) probed(aggregate string) float64 {
	var root, later, n float64
	for _, x := range v.tree.Nodes[1:] {
		switch {
		case !x.Signals.HasEntropy:
		case x.Depth == 1:
			root = stepEntropy(x, aggregate)
		default:
			later += stepEntropy(x, aggregate)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return root - later/n
}

// premonitor returns how many of k trajectories begin as roots:
// int(k·sigmoid(β·(H_root − H_tool))) + 1, between 1 and k.
func premonitor(k int, slope, difference float64) int {
	m := int(float64(k)/(1+math.Exp(-slope*difference))) + 1
	return max(min(m, k), 1)
}

// balancedFork asks with the balanced probability. The score is that probability.
func balancedFork(p *sparkd.Policy) criterion {
	return func(v *view, leaf *sparkd.Node) (bool, string, float64) {
		const reason = "entropy-balanced"
		u := v.rng.Float64() // drawn always
		dh, ok := v.rise(leaf, *p.EntropyAggregate)
		if !ok {
			return false, reason, 0
		}
		base, lift := *p.EntropyBase, *p.EntropyWeight*dh
		damping := max(1-*p.Penalty*float64(v.streak(reason)), 0)
		return balancedDraw(u, lift, damping) >= base, reason, balancedProbability(base, lift, damping)
	}
}

// balancedDraw is x = clamp((U + w·ΔH)·(1 − penalty·c), 0, 1); a leaf forks where x ≥ p.
func balancedDraw(u, lift, damping float64) float64 { return min(max((u+lift)*damping, 0), 1) }

// balancedProbability is the chance of that, for U uniform in [0, 1).
func balancedProbability(p, lift, damping float64) float64 {
	if damping == 0 {
		return 0
	}
	return min(max(1-p/damping+lift, 0), 1)
}

// streak counts the consecutive rounds, the latest last, in which the tree forked for the reason.
func (v *view) streak(reason string) int {
	nodes := v.tree.Nodes
	count, round := 0, nodes[len(nodes)-1].Round
	for i := len(nodes) - 1; i > 0 && nodes[i].Round >= round; i-- {
		if nodes[i].Round == round && nodes[i].Decision.Reason == reason {
			count++
			round--
		}
	}
	return count
}
