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
			if h, ok := n.Surprise(); ok && v.capacity(n.Parent) > 0 {
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
