package advantage

import (
	"cmp"
	"math"
	"slices"

	"sparkd"
)

// Estimators that value nodes by the trajectories through them. All copies of a step have one advantage.

// treeRL is TreeRL's process supervision (arXiv 2506.11902): how much better a node is than the whole group and
// than its parent, over the root of the number of trajectories that train on it. Its nodes are the stretches
// between forks, whose steps all have the stretch's advantage.
func (g *group) treeRL() {
	leaves := g.returns
	if g.LeafValue == "rloo" {
		leaves = g.leaveOneOut()
	}
	value := g.means(leaves)
	before := make([]sparkd.Amount, len(value)) // value of the stretch before the node's
	out := make([]float64, len(value))
	before[0] = value[0]
	for at := 1; at < len(value); at++ {
		if g.count[at] == 0 {
			continue
		}
		p := g.parent[at]
		before[at] = value[p]
		if g.count[at] == g.count[p] { // no fork between them
			before[at] = before[p]
		}
		better := value[at].Minus(value[0]).Value + value[at].Minus(before[at]).Value
		out[at] = better / math.Sqrt(float64(g.count[at]))
	}
	g.credit(out)
}

// depthNorm compares the mean return through a node with those of all nodes at its
// depth, as BranchGRPO does for diffusion (arXiv 2509.06040); 0 for the only one.
func (g *group) depthNorm() {
	value := g.means(g.returns)
	depth, deepest := make([]int, len(value)), 0 // 0: no trajectory passes, and compared with nothing else
	for at := 1; at < len(value); at++ {
		if g.count[at] > 0 {
			depth[at] = g.nodes[at].Depth
			deepest = max(deepest, depth[at])
		}
	}
	g.credit(values(g.contrast(false).of(value, depth, deepest+1)))
}

// sibling is how much better the mean return through a step is than that through its
// parent: 0 but for steps that a fork began. Roots are samples of one prompt and no fork.
func (g *group) sibling() {
	value := g.means(g.returns)
	out := make([]float64, len(value))
	for at := 1; at < len(value); at++ {
		if p := g.parent[at]; p > 0 && g.count[at] != g.count[p] {
			out[at] = value[at].Minus(value[p]).Value
		}
	}
	g.credit(out)
}

// at2PO is AT²PO (arXiv 2601.04767): returns compared in the group are the values of the leaves, a node's value is
// a mean over its children's or its leaves', and the advantage is that value or its distance from the parent's,
// the root's, or both. Its nodes are turns, here steps.
func (g *group) at2PO() {
	leaves := g.contrast(false).of(g.returns, nil, 1)
	value := g.means(leaves)
	if g.ValueMode != "leaf_mean" {
		g.backUp(value, leaves)
	}
	out := make([]float64, len(value))
	for at := 1; at < len(value); at++ {
		v, parent, root := value[at], value[g.parent[at]], value[0]
		switch g.AdvantageMode {
		case "node_value":
			out[at] = v.Value
		case "diff_parent":
			out[at] = v.Minus(parent).Value
		case "diff_global":
			out[at] = v.Minus(root).Value
		case "diff_localglobal":
			out[at] = v.Minus(root).Value + v.Minus(parent).Value
		}
	}
	g.credit(out)
}

// backUp sets the value of every node to the mean of its children's values, weighted by
// the softmax of their entropies in mode child_softmax. A node comes before its
// children, so that backwards every value is ready when its parent needs it.
func (g *group) backUp(value, leaves []sparkd.Amount) {
	for i, p := range g.paths {
		value[g.place[p.to-1]] = leaves[i]
	}
	children := make([][]int, len(value))
	for at := 1; at < len(value); at++ {
		if g.count[at] > 0 {
			children[g.parent[at]] = append(children[g.parent[at]], at)
		}
	}
	for at := len(value) - 1; at >= 0 && g.err == nil; at-- {
		if len(children[at]) > 0 {
			value[at] = g.weighted(value, children[at])
		}
	}
}

// weighted returns the mean of the values of siblings.
func (g *group) weighted(value []sparkd.Amount, siblings []int) sparkd.Amount {
	least := slices.MinFunc(siblings, func(a, b int) int { return cmp.Compare(value[a].Value, value[b].Value) })
	var more, weights sparkd.Sum // more than the least, which is nothing where all are equal
	doubt := 0.0
	for _, at := range siblings {
		w := 1.0
		if g.ValueMode == "child_softmax" && len(siblings) > 1 {
			h, known := g.nodes[at].Surprise()
			if !known {
				g.err = refuse(g.tree(at), ReasonNoEntropy,
					"use value_mode child_mean or leaf_mean, or an engine that reports logprobs",
					"at2po weighs branches by their entropy, and node %d has no logprobs", g.nodes[at].ID)
				return sparkd.Amount{}
			}
			w = math.Exp(min(h, 500)) // finite, whatever an engine reports
		}
		weights.Add(w)
		more.Add(w * (value[at].Value - value[least].Value))
		doubt = max(doubt, value[at].Doubt)
	}
	rise := more.Over(weights.Value())
	return sparkd.Amount{Value: value[least].Value, Doubt: doubt}.Plus(sparkd.Given(rise))
}

// values are amounts without their doubts.
func values(of []sparkd.Amount) []float64 {
	out := make([]float64, len(of))
	for i := range of {
		out[i] = of[i].Value
	}
	return out
}
