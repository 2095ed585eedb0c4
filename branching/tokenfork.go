package branching

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// tokenFork is TreeRL's rule, EPTree (arXiv 2506.11902): M chains to their end, then L rounds that take the N most
// surprising tokens of every tree, by −logprob, and grow T continuations from each, which share the step's tokens
// before it: M·(1 + L·N·T) leaves.
//
// No fork is made at the first token of a step or of a fork, where it would be a plain expansion, nor at the last;
// steps cut off at their length are left out, as there. A round expands a node once, so that forks in the steps of
// one parent follow each other.
func tokenFork(p *sparkd.Policy) rule {
	return func(v *view) []proposal {
		iteration := v.iteration()
		proposals := v.pending(iteration, p)
		if len(proposals) == 0 && len(v.live) == 0 && iteration < *p.Iterations {
			proposals = v.pending(iteration+1, p)
		}
		return proposals
	}
}

// A fork in the L-th round has the reason "token-fork:L", so that the tree tells how far it has come.
const tokenForkReason = "token-fork:"

// bornIn returns the iteration that a node was forked in; 0 where it was not.
func bornIn(n *sparkd.Node) int {
	s, ok := strings.CutPrefix(n.Decision.Reason, tokenForkReason)
	if !ok {
		return 0
	}
	i, _ := strconv.Atoi(s)
	return i
}

// iteration returns the latest iteration of the tree.
func (v *view) iteration() int {
	latest := 0
	for _, n := range v.tree.Nodes {
		latest = max(latest, bornIn(n))
	}
	return latest
}

// place is a token of a step.
type place struct{ node, token int }

// pending returns the forks of an iteration that can be made and are not made yet.
func (v *view) pending(iteration int, p *sparkd.Policy) []proposal {
	if iteration == 0 {
		return nil
	}
	made, begun := map[place]bool{}, math.MaxInt // begun: the iteration's first round
	for _, n := range v.tree.Nodes {
		if bornIn(n) != iteration {
			continue
		}
		begun = min(begun, n.Round)
		if !n.Failed() {
			made[place{n.Decision.Of, n.Decision.SharedTokens}] = true
		}
	}
	var proposals []proposal
	for _, s := range v.surprising(begun, *p.Picks) {
		parent := v.tree.Nodes[s.node].Parent
		if !made[s.place] && v.capacity(parent) > 0 {
			proposals = append(proposals, proposal{node: parent, more: *p.Branch, score: s.score,
				reason: tokenForkReason + strconv.Itoa(iteration), of: s.node, shared: s.token})
		}
	}
	return proposals
}

// scored is a token with its −logprob.
type scored struct {
	place
	score float64
}

// surprising returns the n most surprising tokens of every tree, among the steps of
// earlier rounds, the most surprising first.
func (v *view) surprising(before, n int) []scored {
	of := v.trees()
	best := map[int][]scored{} // by tree
	for _, x := range v.tree.Nodes[1:] {
		if x.Round >= before || x.Finish == sparkd.FinishLength {
			continue
		}
		logprobs := x.KnownLogprobs()
		for i := x.Decision.SharedTokens + 1; i < len(logprobs)-1; i++ {
			best[of[x.ID]] = insert(best[of[x.ID]], scored{place{x.ID, i}, -float64(logprobs[i])}, n)
		}
	}
	var all []scored
	for _, b := range best {
		all = append(all, b...)
	}
	slices.SortFunc(all, bySurprise)
	return all
}

func bySurprise(a, b scored) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.node, b.node), cmp.Compare(a.token, b.token))
}

// insert keeps the n best of a sorted list.
func insert(list []scored, s scored, n int) []scored {
	i, _ := slices.BinarySearchFunc(list, s, bySurprise)
	if i >= n {
		return list
	}
	list = slices.Insert(list, i, s)
	return list[:min(n, len(list))]
}
