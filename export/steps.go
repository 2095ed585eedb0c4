package export

import (
	"cmp"
	"slices"

	"sparkd"
	"sparkd/branching/advantage"
)

// step is what a line trains of one step of a trajectory: the tokens From to To of the
// step's output, in the sequence of the trajectory that ends at Leaf.
type step struct {
	advantage.Row
	From, To int
	kept     bool // of a trajectory in the export; merged: of one at least
}

// copies returns every step of the trajectories that ended, once per trajectory: by leaf, then along the path.
func copies(t *sparkd.Tree, credit advantage.Credit, keep []bool) []step {
	steps := make([]step, len(credit.Copies))
	for i, r := range credit.Copies {
		steps[i] = step{Row: r, To: len(output(t.Nodes[r.Node]).Tokens), kept: keep[r.Leaf]}
	}
	return steps
}

// kept returns those of steps that are in the export.
func kept(steps []step) []step {
	left := func(s step) bool { return !s.kept }
	if !slices.ContainsFunc(steps, left) {
		return steps
	}
	return slices.DeleteFunc(slices.Clone(steps), left)
}

// dedupe returns what is trained of copies, by leaf, then along the path. With copies every trajectory trains all
// its steps. Otherwise what several trajectories share is trained once, in the first of them, with the mean of
// their advantages: whole steps, and the tokens that siblings share inside a step, unless steps are to stay whole.
// Its weight is the sum of theirs with unique, so that the gradient stays that of copies, and 1 with tree, whose
// loss is a sum over the tokens that were sampled. All trajectories that ended count, and what none of the export's
// has is left out.
func (o *Options) dedupe(t *sparkd.Tree, copies []step, whole bool) []step {
	if o.Dedupe == "copies" {
		return kept(copies)
	}
	var steps []step
	if whole {
		steps = merge(copies, len(t.Nodes))
	} else {
		steps = once(t, copies)
	}
	o.weigh(steps)
	slices.SortStableFunc(steps, alongPaths)
	return steps
}

// weigh gives merged steps their weight in the loss of dedupe tree.
func (o *Options) weigh(steps []step) {
	if o.Dedupe == "tree" {
		for i := range steps {
			steps[i].Weight = 1
		}
	}
}

// alongPaths orders steps by trajectory, then along its path.
func alongPaths(a, b step) int {
	return cmp.Or(cmp.Compare(a.Leaf, b.Leaf), cmp.Compare(a.Node, b.Node), cmp.Compare(a.From, b.From))
}

var noOutput sparkd.Span

// output returns the model span of a node, an empty one where it has none.
func output(n *sparkd.Node) *sparkd.Span {
	if s := n.Model(); s != nil {
		return s
	}
	return &noOutput
}

// merge returns one step per node, by node id, of those that are in the export.
func merge(copies []step, nodes int) []step {
	n := make([]int, nodes)
	for i := range copies {
		n[copies[i].Node]++
	}
	byNode, rows := make([]bundle, nodes), make([]advantage.Row, len(copies))
	for node := range byNode {
		byNode[node].rows, rows = rows[:0:n[node]], rows[n[node]:]
	}
	for i := range copies {
		byNode[copies[i].Node].add(&copies[i])
	}
	return merged(byNode)
}

// bundle is steps that become one: the first of them that is in the export, with the numbers of all.
type bundle struct {
	first step
	rows  []advantage.Row
}

func (b *bundle) add(s *step) {
	if len(b.rows) == 0 || s.kept && !b.first.kept {
		b.first = *s
	}
	b.rows = append(b.rows, s.Row)
}

// merged returns the bundles of the export as a step each.
func merged(bundles []bundle) []step {
	var steps []step
	for i := range bundles {
		b := &bundles[i]
		if !b.first.kept {
			continue
		}
		s := b.first
		s.Row = advantage.Merge(b.rows)
		s.Leaf, s.Node = b.first.Leaf, b.first.Node
		steps = append(steps, s)
	}
	return steps
}
