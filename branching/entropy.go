package branching

import "sparkd"

// entropyWindow is how many tokens of a step FirstEntropy covers.
const entropyWindow = 20

// stepEntropy returns H of a step in units of ln|V|: the mean over its first tokens, or
// their sum, as the released code of ARPO has it.
func stepEntropy(n *sparkd.Node, aggregate string) float64 {
	h := n.Signals.FirstEntropy
	if aggregate == aggregateMean {
		return h
	}
	tokens := 0
	if s := n.Model(); s != nil {
		tokens = len(s.Tokens)
	}
	return h * float64(min(tokens, entropyWindow))
}

// rise returns ΔH, how much the entropy of the leaf's step exceeds that of the first
// step on its path; false where a step has no entropies.
func (v *view) rise(leaf *sparkd.Node, aggregate string) (float64, bool) {
	first := leaf
	for first.Depth > 1 {
		first = v.parent(first)
	}
	if !leaf.Signals.HasEntropy || !first.Signals.HasEntropy {
		return 0, false
	}
	return stepEntropy(leaf, aggregate) - stepEntropy(first, aggregate), true
}

// entropyRise is ARPO's rule (arXiv 2507.19849). Its code forks with probability
// clamp(p + w·ΔH, 0, 1); the paper writes α + β·ΔH > τ instead. A path without
// entropies never asks. Full entropies stand for the top-10 logprobs of the code.
func entropyRise(p *sparkd.Policy) rule {
	return leafwise(func(v *view, leaf *sparkd.Node) (bool, string, float64) {
		draw := v.rng.Float64() // drawn always, so that one leaf's signals never shift another's draw
		dh, ok := v.rise(leaf, *p.EntropyAggregate)
		if !ok {
			return false, "entropy", 0
		}
		if *p.EntropyThreshold > 0 {
			x := *p.EntropyBase + *p.EntropyWeight*dh
			return x > *p.EntropyThreshold, "entropy", x
		}
		x := forkProbability(*p.EntropyBase, *p.EntropyWeight, dh)
		return draw < x, "entropy", x
	}, *p.Branch)
}

// forkProbability is P = clamp(p + w·ΔH, 0, 1).
func forkProbability(p, w, rise float64) float64 { return min(max(p+w*rise, 0), 1) }
