package branching

import "sparkd"

// expandRandom is Tree-GRPO's rule (arXiv 2509.21240): M chains to their end, each a tree of its own, then L
// rounds that draw N nodes of every tree, uniformly and with replacement among the opening and the nodes that are
// no leaf, and roll each to the end: M·(1 + L·N) leaves. What is drawn at the opening begins a chain apart, from
// which later rounds do not draw.
func expandRandom(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		const reason = "expand-random"
		if len(v.live) > 0 || v.iterations(reason) >= *p.Iterations {
			return nil
		}
		of := v.trees()
		inner := map[int][]int{} // by tree
		var roots []int
		for _, n := range v.tree.Nodes[1:] {
			if of[n.ID] == n.ID && !n.Failed() && n.Decision.Reason != reason {
				roots = append(roots, n.ID)
				inner[n.ID] = []int{0}
			}
			if tree, ok := inner[of[n.ID]]; ok && v.inner(n.ID) {
				inner[of[n.ID]] = append(tree, n.ID)
			}
		}
		var proposals []proposal
		for _, tree := range roots {
			for range *p.Picks {
				drawn := inner[tree][v.rng.IntN(len(inner[tree]))]
				proposals = append(proposals, proposal{node: drawn, more: 1, reason: reason})
			}
		}
		shuffle(v.rng, proposals)
		return proposals
	}
}

// trees returns the root above every node: the step after the opening. A root that forked
// off inside another one's tokens belongs to that one's tree.
func (v *view) trees() []int {
	of := make([]int, len(v.tree.Nodes))
	for _, n := range v.tree.Nodes[1:] {
		switch {
		case n.Parent > 0:
			of[n.ID] = of[n.Parent]
		case n.Decision.Of > 0:
			of[n.ID] = of[n.Decision.Of]
		default:
			of[n.ID] = n.ID
		}
	}
	return of
}
