package branching

import "sparkd"

// attempt is k branches from a number of steps before a chain's end.
type attempt struct{ back, k int }

// maxTail is the most branches of one attempt.
const maxTail = 6

// attempts is the table of BranPO's difficulty-aware sampling (arXiv 2602.03719): what
// branches off a chain of a group with the given accuracy, one attempt after another.
// slow says that the chain took more steps than the mean of its group.
func attempts(accuracy float64, won, slow bool) []attempt {
	switch {
	case accuracy == 1:
		return []attempt{{1, 2}}
	case accuracy > .5 && won && slow:
		return []attempt{{2, 6}}
	case accuracy < .5 && !won:
		return []attempt{{1, 3}, {2, 3}, {3, 3}}
	case accuracy <= .75 || !won:
		return []attempt{{1, 3}, {2, 3}}
	}
	return nil
}

// tail is BranPO's rule: M chains to their end, then each that the table names is continued from a few steps
// before its end, until a branch gives a contrast: another outcome, or the same success in fewer steps. The
// branches of one attempt are sampled together, so that the first contrast ends the attempts, not the attempt. The
// opening is never branched: chains as short as that have no tail.
func tail(v *view) []proposal {
	const reason = "tail"
	chains := v.chains(reason)
	if len(v.live) > 0 || len(chains) == 0 {
		return nil
	}
	wins, steps := 0, 0
	for _, leaf := range chains {
		steps += leaf.Depth
		if won(leaf) {
			wins++
		}
	}
	n := float64(len(chains))
	branched, done := v.born(reason), v.contrasted(reason, chains)
	var proposals []proposal
	for i, leaf := range chains {
		if done[i] {
			continue
		}
		for _, a := range attempts(float64(wins)/n, won(leaf), float64(leaf.Depth) > float64(steps)/n) {
			if at := v.before(leaf, a.back); at > 0 && !branched[at] && v.capacity(at) > 0 {
				proposals = append(proposals, proposal{node: at, more: a.k, reason: reason})
				break
			}
		}
	}
	shuffle(v.rng, proposals)
	return proposals
}

// before returns the node that lies so many steps before the leaf, and 0 where the path is no longer than that.
func (v *view) before(leaf *sparkd.Node, back int) int {
	n := leaf
	for range back {
		if n.ID == 0 {
			return 0
		}
		n = v.parent(n)
	}
	return n.ID
}

// contrasted says which chains have a contrast among the branches grown for the reason.
func (v *view) contrasted(reason string, chains []*sparkd.Node) []bool {
	of := map[int]int{} // chain by node
	for i, leaf := range chains {
		for n := leaf; n.ID > 0; n = v.parent(n) {
			of[n.ID] = i
		}
	}
	done := make([]bool, len(chains))
	for _, leaf := range v.ended {
		n := v.grownFor(leaf, reason)
		if n == nil {
			continue
		}
		if i, ok := of[n.Parent]; ok {
			base := chains[i]
			done[i] = done[i] || won(leaf) != won(base) || won(leaf) && leaf.Depth < base.Depth
		}
	}
	return done
}
