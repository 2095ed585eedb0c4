package sampler

import (
	"context"
	"math"

	"sparkd"
	"sparkd/branching"
)

// round runs the planned expansions side by side and commits their nodes, in the order of the plan.
func (g *grower) round(ctx context.Context) error {
	grown := make([]expansion, len(g.next))
	begun := map[int]int{} // children of a node that earlier expansions of the round make
	allowance := g.allowance()
	for i, x := range g.next {
		grown[i] = g.prepare(x, begun[x.Node])
		grown[i].allowance = allowance
		begun[x.Node] += x.K
	}
	each(len(grown), func(i int) { grown[i].run(ctx) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var nodes []*sparkd.Node
	var stats sparkd.Stats
	for i := range grown {
		x := &grown[i]
		for j := range x.children {
			x.children[j].node.ID = len(g.tree.Nodes) + len(nodes)
			nodes = append(nodes, x.children[j].node)
		}
		x.count(&stats)
	}
	if err := g.commit(ctx, nodes, stats); err != nil {
		return err
	}
	for i := range grown {
		g.adopt(&grown[i])
	}
	return nil
}

// allowance returns how many tokens each continuation of the coming round may draw, so that
// together they keep to the budget.
func (g *grower) allowance() int {
	most, k := g.spec.Budget.GeneratedTokens, 0
	if most == 0 {
		return math.MaxInt
	}
	for _, x := range g.next {
		k += x.K
	}
	return (most - g.tree.Stats.GeneratedTokens) / k // at least 1: the policy plans no more than can be paid for
}

// adopt takes the leaves of a committed expansion.
func (g *grower) adopt(x *expansion) {
	for i := range x.children {
		if c := &x.children[i]; c.node.Done {
			c.leaf.shut()
		} else {
			g.leaves[c.node.ID] = &c.leaf
		}
	}
	if x.survivors() > 0 {
		delete(g.leaves, x.Node)
	} else {
		g.leaves[x.Node] = x.parent // the policy may try again
	}
}

func (l *leaf) shut() {
	if l.env != nil {
		l.env.close()
		l.env = nil
	}
}

// prepare returns an expansion that is ready to run; begun is how many children other
// expansions of the same node make in this round.
func (g *grower) prepare(x branching.Expansion, begun int) expansion {
	l := g.leaves[x.Node]
	if l == nil || begun > 0 {
		l = &leaf{tokens: g.tree.Tokens(x.Node)}
	}
	return expansion{Expansion: x, g: g, counts: g.counts[x.Node], parent: l, first: g.counts[x.Node].children + begun}
}

// survivors counts the children that did not fail.
func (x *expansion) survivors() int {
	n := x.K
	for i := range x.children {
		n -= x.children[i].stats.Failed
	}
	return n
}

// count adds what the expansion made and cost; see sparkd.Stats.
func (x *expansion) count(s *sparkd.Stats) {
	for i := range x.children {
		s.Add(x.children[i].stats)
	}
	survivors := x.survivors()
	s.Nodes += survivors
	leaves := survivors
	if x.Node > 0 && survivors > 0 && x.counts.surviving == 0 {
		leaves-- // the expanded leaf is replaced by its first child
	}
	s.Leaves += leaves
	if x.Node > 0 {
		s.Forks += leaves
	}
	s.PromptTokens += x.result.PromptTokens
	s.CachedTokens += x.result.CachedTokens
	s.ComputedTokens += x.result.ComputedTokens
	switch {
	case len(x.result.Samples) == 0:
		return
	case x.g.window != nil:
		s.UniqueTokens += x.g.window.unique(x)
		return
	case x.counts.sampled:
		return
	}
	for i, spans := 0, x.g.tree.Nodes[x.Node].Spans; i < len(spans); i++ {
		if spans[i].Source != sparkd.SourceModel {
			s.UniqueTokens += len(spans[i].Tokens)
		} else if len(spans[i].Tokens) > 0 {
			s.UniqueTokens++
		}
	}
}
