package branching

import (
	"cmp"
	"slices"

	"sparkd"
)

// topK is AT²PO's rule (arXiv 2601.04767): M chains to their end, then L rounds that each sample the K most
// uncertain steps of the tree again, beside the old ones. A step's score is the mean of −logprob over its sampled
// tokens, a Monte Carlo estimate of the entropy, less a penalty for every sibling it has; where there are fewer
// steps than K the list is gone through again.
func topK(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		const reason = "topk-entropy"
		if len(v.live) > 0 || v.iterations(reason) >= *p.Iterations {
			return nil
		}
		type step struct {
			parent int
			score  float64
		}
		var steps []step
		for _, n := range v.tree.Nodes[1:] {
			if h, ok := surprise(n); ok && v.capacity(n.Parent) > 0 {
				steps = append(steps, step{n.Parent, crowded(h, v.children[n.Parent], *p.Penalty)})
			}
		}
		if len(steps) == 0 {
			return nil
		}
		slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(b.score, a.score) })
		proposals := make([]proposal, *p.Picks)
		for i := range proposals {
			s := steps[i%len(steps)]
			proposals[i] = proposal{node: s.parent, more: 1, reason: reason, score: s.score}
		}
		return proposals
	}
}

// crowded is H less the penalty for siblings; a step counts itself among them.
func crowded(h float64, siblings int, penalty float64) float64 {
	return h - penalty*float64(siblings-1)
}

// surprise returns the mean of −logprob over a step's sampled tokens; false where it has none.
func surprise(n *sparkd.Node) (float64, bool) {
	logprobs := sampledLogprobs(n)
	if len(logprobs) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, l := range logprobs {
		sum -= float64(l)
	}
	return sum / float64(len(logprobs)), true
}

// sampledLogprobs returns the logprobs of a step's tokens: raw ones, or those of the
// distribution drawn from where the engine reports no others; nil where it has none.
func sampledLogprobs(n *sparkd.Node) []float32 {
	s := n.Model()
	switch {
	case n.Failed() || s == nil:
		return nil
	case s.Logprobs != nil:
		return s.Logprobs
	}
	return s.SampledLogprobs
}
