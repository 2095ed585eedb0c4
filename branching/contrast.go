package branching

import (
	"math"

	"sparkd"
)

// contrast is TRACE's rule (arXiv 2606.11119): continuations go where they are most likely to make a group of
// mixed outcomes, one by one, each to the largest marginal gain. A root more is worth what it adds to rootValue; a
// continuation from a prefix of rollouts that all came to one outcome, what it adds to prefixValue. The score is
// that gain. A prefix below which both outcomes are known already has its contrast.
//
// TRACE trains a predictor of V; here V comes from the tree, see values. After every
// `picks` continuations the tree is grown to its end and judged again, until N.
func contrast(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		if len(v.live) > 0 {
			return nil
		}
		nodes, gain := v.prospects()
		given, gains := make([]int, len(nodes)), make([]float64, len(nodes))
		for i, id := range nodes {
			gains[i] = gain(id, 0)
		}
		var proposals []proposal
		for range min(*p.Picks, v.places) {
			best := 0 // the first of equals
			for i := range gains {
				if gains[i] > gains[best] {
					best = i
				}
			}
			if len(nodes) == 0 || gains[best] <= 0 {
				break
			}
			proposals = append(proposals, proposal{node: nodes[best], more: 1, reason: "contrast", score: gains[best]})
			given[best]++
			gains[best] = gain(nodes[best], given[best])
		}
		return proposals
	}
}

// prospects returns the opening and the prefixes without a contrast, and what one
// continuation of them gains after k others.
func (v *view) prospects() (nodes []int, gain func(id, k int) float64) {
	ended, wins := v.tally()
	value := v.values(ended, wins)
	for id := range v.tree.Nodes {
		mixed := wins[id] > 0 && wins[id] < ended[id]
		if v.inner(id) && ended[id] > 0 && (id == 0 || !mixed) {
			nodes = append(nodes, id)
		}
	}
	return nodes, func(id, k int) float64 {
		if id == 0 {
			roots := v.children[0] + k
			return rootValue(value[0], roots+1) - rootValue(value[0], roots)
		}
		return prefixValue(value[id], wins[id] > 0, k+1) - prefixValue(value[id], wins[id] > 0, k)
	}
}

// values returns V of every node, its chance of success. Few rollouts pass through a
// node, so its mean is drawn towards the node before it, as if that were one rollout
// more: V = (wins + V(parent)) / (ended + 1), and 1/2 before the opening.
func (v *view) values(ended, wins []int) []float64 {
	out := make([]float64, len(ended))
	for id := range out {
		prior := .5
		if id > 0 {
			prior = out[v.tree.Nodes[id].Parent]
		}
		out[id] = (float64(wins[id]) + prior) / float64(ended[id]+1)
	}
	return out
}

// rootValue is 1 − v^m − (1−v)^m: the chance that m rollouts, each a success with probability v, are mixed.
func rootValue(v float64, m int) float64 {
	return 1 - math.Pow(v, float64(m)) - math.Pow(1-v, float64(m))
}

// prefixValue is 1 − [r·v + (1−r)(1−v)]^k: the chance that one of k continuations of a
// prefix comes to another outcome than the rollout it was taken from.
func prefixValue(v float64, success bool, k int) float64 {
	same := v
	if !success {
		same = 1 - v
	}
	return 1 - math.Pow(same, float64(k))
}
