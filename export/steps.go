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
	drift    float64 // while steps are merged: Σ weight · (advantage − that of the first)
}

// copies returns every step of the trajectories in keep, once per trajectory: by leaf, then along the path.
func copies(t *sparkd.Tree, credit advantage.Credit, keep []bool) []step {
	steps := make([]step, 0, len(credit.Copies))
	for _, r := range credit.Copies {
		if keep[r.Leaf] {
			steps = append(steps, step{Row: r, To: len(output(t.Nodes[r.Node]).Tokens)})
		}
	}
	return steps
}

// dedupe returns what is trained of copies, by leaf, then along the path. With copies every trajectory trains all
// its steps. Otherwise what several trajectories share is trained once, in the first of them, with the mean of
// their advantages: whole steps, and the tokens that siblings share inside a step, unless steps are to stay whole.
// Its weight is the sum of theirs with unique, so that the gradient stays that of copies, and 1 with tree, whose
// loss is a sum over the tokens that were sampled.
func (o *Options) dedupe(t *sparkd.Tree, copies []step, whole bool) []step {
	if o.Dedupe == "copies" {
		return copies
	}
	steps := merge(copies, len(t.Nodes))
	if !whole {
		steps = once(t, steps)
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
	return cmp.Or(cmp.Compare(a.Leaf, b.Leaf), cmp.Compare(a.Node, b.Node))
}

var noOutput sparkd.Span

// output returns the model span of a node, an empty one where it has none.
func output(n *sparkd.Node) *sparkd.Span {
	if s := n.Model(); s != nil {
		return s
	}
	return &noOutput
}

// merge returns one step per node, by node id. What the steps of a node say of their
// trajectories becomes their mean, the advantage as their weights have it.
func merge(copies []step, nodes int) []step {
	byNode := make([]step, nodes)
	for i := range copies {
		byNode[copies[i].Node].add(&copies[i])
	}
	merged := byNode[:0]
	for _, m := range byNode {
		if m.Copies > 0 {
			m.mean()
			merged = append(merged, m)
		}
	}
	return merged
}

// add adds another step's numbers, as sums, to those of s, which is the first one's where it has none yet.
func (s *step) add(o *step) {
	if s.Copies == 0 {
		*s = *o
		s.Copies, s.Means, s.Weight = 0, advantage.Means{}, 0
	}
	s.Copies += o.Copies
	s.Means.Add(o.Copies, o.Means)
	s.Weight += o.Weight
	s.drift += o.Weight * (o.Advantage - s.Advantage)
}

// mean turns sums into means. The mean of equal advantages is exactly their value.
func (s *step) mean() {
	s.Divide(s.Copies)
	if s.Weight != 0 {
		s.Advantage += s.drift / s.Weight
	}
	s.drift = 0
}
