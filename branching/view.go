package branching

import (
	"math/rand/v2"
	"slices"

	"sparkd"
)

// view is what a rule sees: the tree, and what the next round may spend. The slices by
// node are filled in one pass over the nodes.
type view struct {
	tree *sparkd.Tree
	// By node: children that did not fail, the planned ones included, and rounds in which a child failed.
	children, failures []int
	live               []*sparkd.Node // leaves that grow on, by id
	ended              []*sparkd.Node // leaves that are finished, by id
	used               int            // leaves ever created

	maxSteps int
	most     int // N
	places   int // leaves that may still be created in this round
	limits   limits
	around   []surroundings // by node; nil until a limit asks, and after every new fork
	rng      *rand.Rand
}

// newView reads the tree in two passes: it runs once a round, over all nodes.
func newView(t *sparkd.Tree, maxSteps int) *view {
	v := &view{tree: t, maxSteps: maxSteps, children: make([]int, len(t.Nodes)), failures: make([]int, len(t.Nodes))}
	lastFailure := make([]int, len(t.Nodes)) // the latest round in which a child failed
	for _, n := range t.Nodes {
		switch {
		case n.Parent < 0:
		case !n.Failed():
			v.children[n.Parent]++
		case lastFailure[n.Parent] != n.Round:
			lastFailure[n.Parent] = n.Round
			v.failures[n.Parent]++
		}
	}
	for _, n := range t.Nodes {
		if n.Parent < 0 || v.children[n.ID] > 0 || n.Failed() {
			continue
		}
		v.used++
		switch {
		case n.Done:
			v.ended = append(v.ended, n)
		case n.Depth < maxSteps && v.failures[n.ID] < MaxAttempts:
			v.live = append(v.live, n)
		}
	}
	return v
}

// inner reports whether a node was grown and may be grown again: node 0 too.
func (v *view) inner(id int) bool { return v.children[id] > 0 && v.capacity(id) > 0 }

// parent returns the node before n.
func (v *view) parent(n *sparkd.Node) *sparkd.Node { return v.tree.Nodes[n.Parent] }

// iterations counts the rounds in which an expansion for the reason bore a child that survived.
func (v *view) iterations(reason string) int {
	count, last := 0, -1
	for _, n := range v.tree.Nodes {
		if n.Decision.Reason == reason && !n.Failed() && n.Round != last {
			last = n.Round
			count++
		}
	}
	return count
}

// grownFor returns the last node on the path to a leaf that was grown for one of the reasons, nil where none was.
func (v *view) grownFor(leaf *sparkd.Node, reasons ...string) *sparkd.Node {
	for n := leaf; n.ID > 0; n = v.parent(n) {
		if slices.Contains(reasons, n.Decision.Reason) {
			return n
		}
	}
	return nil
}

// chains returns the finished leaves on whose path nothing was grown for one of the
// reasons: the trajectories that were there before the policy came back to them.
func (v *view) chains(reason string) []*sparkd.Node {
	var out []*sparkd.Node
	for _, leaf := range v.ended {
		if v.grownFor(leaf, reason, "fallback") == nil {
			out = append(out, leaf)
		}
	}
	return out
}

// born says which nodes have a surviving child that was grown for the reason.
func (v *view) born(reason string) []bool {
	out := make([]bool, len(v.tree.Nodes))
	for _, n := range v.tree.Nodes {
		if n.ID > 0 && !n.Failed() && n.Decision.Reason == reason {
			out[n.Parent] = true
		}
	}
	return out
}

func won(n *sparkd.Node) bool { return n.Outcome == sparkd.OutcomeSuccess }

// tally counts the finished leaves at or below every node and those of them that won.
func (v *view) tally() (ended, wins []int) {
	ended, wins = make([]int, len(v.tree.Nodes)), make([]int, len(v.tree.Nodes))
	for _, n := range v.ended {
		ended[n.ID] = 1
		if won(n) {
			wins[n.ID] = 1
		}
	}
	for id := len(v.tree.Nodes) - 1; id > 0; id-- { // children have higher ids
		p := v.tree.Nodes[id].Parent
		ended[p] += ended[id]
		wins[p] += wins[id]
	}
	return ended, wins
}

// allEqual reports whether at least `least` leaves have ended, all with one return.
func (v *view) allEqual(least int) bool {
	if len(v.ended) < least {
		return false
	}
	first := v.tree.Earned(v.ended[0].ID)
	return !slices.ContainsFunc(v.ended, func(n *sparkd.Node) bool { return v.tree.Earned(n.ID).Compare(first) != 0 })
}
