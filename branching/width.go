package branching

import (
	"math/rand/v2"

	"sparkd"
)

// firstDivergence opens width-split where M is not given: 2 to 8 roots, drawn, as in TreePO's published runs.
func firstDivergence(rng *rand.Rand) (int, string) { return 2 + rng.IntN(7), "root" }

// widthSplit is TreePO's rule (arXiv 2508.17445, divergence policy fixed_avg): in every round the live paths share
// the width that the finished ones leave, equally, at least one each and the remainder to the last. The round's
// width is at most B for every live path and, passed on, for every path that finished in the round before.
func widthSplit(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		var live []*sparkd.Node
		for _, n := range v.live {
			if v.capacity(n.ID) > 0 {
				live = append(live, n)
			}
		}
		if len(live) == 0 {
			return nil
		}
		nodes := v.tree.Nodes
		last, finished := nodes[len(nodes)-1].Round, 0
		for _, n := range v.ended {
			if n.Round == last {
				finished++
			}
		}
		width := min(len(live)+v.places, *p.Branch*(len(live)+finished))
		var proposals []proposal
		for i, k := range split(width, len(live)) {
			proposals = append(proposals, proposal{node: live[i].ID, more: k - 1, reason: "width-split"})
		}
		return proposals
	}
}

// split divides a width among paths: equal shares of at least one, the remainder to the last.
func split(width, paths int) []int {
	shares := make([]int, paths)
	for i := range shares {
		shares[i] = max(width/paths, 1)
	}
	if width > paths {
		shares[paths-1] += width % paths
	}
	return shares
}

// cutFinished is the modifier fallback, TreePO's too: where no path is live and width is left, finished paths are
// cut at a random step and continued from there, as many as there are places. Paths, then steps, are drawn
// uniformly; a path of one step is cut at the opening.
func cutFinished(v *view) []proposal {
	var cuts [][]int // by path
	for _, leaf := range v.ended {
		var at []int
		for n := v.parent(leaf); n.ID > 0; n = v.parent(n) {
			if v.inner(n.ID) {
				at = append(at, n.ID)
			}
		}
		if leaf.Depth == 1 {
			at = []int{0}
		}
		if len(at) > 0 {
			cuts = append(cuts, at)
		}
	}
	if len(cuts) == 0 {
		return nil
	}
	var proposals []proposal
	for range v.places {
		at := cuts[v.rng.IntN(len(cuts))]
		proposals = append(proposals, proposal{node: at[v.rng.IntN(len(at))], more: 1, reason: "fallback"})
	}
	return proposals
}
