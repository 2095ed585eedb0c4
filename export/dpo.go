package export

import (
	"cmp"
	"slices"

	"sparkd"
	"sparkd/branching/advantage"
)

// Pairs says which pairs format "trl-dpo" makes.
type Pairs struct {
	// By is "sibling": two children of one node, whose outputs follow the same tokens;
	// or "group": two trajectories of one task, from where they part.
	By string `json:"by"`
	// Margin is the least difference of the mean returns, in the environment's unit; a pair of equals is never made.
	Margin float64 `json:"margin"`
	// Most is the number of pairs of a fork, or of a group, the widest first; 0: all.
	Most int `json:"most"`
}

// trlDPOFormat has a preference pair of TRL's DPOTrainer, which tokenizes the messages; the
// ids are what the model saw and sampled.
var trlDPOFormat = format{
	name: "trl-dpo", about: "preference pairs of TRL's DPOTrainer", messages: true, unestimated: true,
	lines: preferences(fields[*pair]{
		{"prompt", messages((*pair).contextPieces), "system, user and assistant turns before the fork"},
		{"chosen", messages((*pair).chosenPieces),
			"the output with the higher return; with pairs group all that follows"},
		{"rejected", messages((*pair).rejectedPieces), "the other one"},
		{"prompt_ids", ids((*pair).contextPieces), "all tokens before the fork"},
		{"chosen_ids", ids((*pair).chosenPieces), "tokens of chosen"},
		{"rejected_ids", ids((*pair).rejectedPieces), "tokens of rejected"},
		{"chosen_return", number(func(p *pair) float64 { return p.chosen.value.Value }),
			"mean return of the trajectories through it, in the environment's unit"},
		{"rejected_return", number(func(p *pair) float64 { return p.rejected.value.Value }),
			"the same of the other one"},
		{"uid", text(func(p *pair) string { return p.chosen.tree.uid }), aboutGroup},
		{"fork_uid", uid(func(p *pair) (*sparkd.Tree, int) { return p.chosen.tree.Tree, p.fork }),
			`the node both follow, "tree:node"`},
		{"chosen_uid", uid(func(p *pair) (*sparkd.Tree, int) { return p.chosen.names() }),
			"node of the output, or the trajectory"},
		{"rejected_uid", uid(func(p *pair) (*sparkd.Tree, int) { return p.rejected.names() }),
			"the same of the other one"},
	}),
}

// pair is what a line is made of.
type pair struct {
	chosen, rejected        *candidate
	width                   float64 // how far their returns are apart
	fork                    int     // node of chosen's tree that both follow
	context                 []piece // up to the fork
	preferred, dispreferred []piece // behind it
}

// candidate is one side of a pair.
type candidate struct {
	tree  *creditedTree
	node  int           // of the output, or the leaf of a trajectory
	value sparkd.Amount // mean return of all trajectories through it that ended
	kept  bool          // a trajectory in the export goes through it
}

func (c *candidate) names() (*sparkd.Tree, int) { return c.tree.Tree, c.node }

func (p *pair) contextPieces() []piece  { return p.context }
func (p *pair) chosenPieces() []piece   { return p.preferred }
func (p *pair) rejectedPieces() []piece { return p.dispreferred }

// preferences are lines of one pair each: of the forks of a tree, or of the trajectories of a group.
func preferences(line fields[*pair]) lines {
	write := line.writer()
	return lines{
		typ: line.typ,
		tree: func(e *encoder, t *creditedTree) {
			if e.o.Pairs.By == "group" {
				e.addCandidates(t)
			} else if t.chosen {
				e.forks(t, write)
			}
		},
		group: func(e *encoder) {
			switch n := len(e.candidates); {
			case n > 1:
				e.pairs("group", e.candidates, e.part, write)
			case n == 1:
				e.m.omit("group", advantage.ReasonOneTrajectory, "", e.candidates[0].tree.ID)
			}
		},
	}
}

// addCandidates adds the trajectories of a tree for the pairs of its group.
func (e *encoder) addCandidates(t *creditedTree) {
	for _, end := range t.Ended() {
		e.candidates = append(e.candidates, candidate{t, end.ID, t.Earned(end.ID), t.keep[end.ID]})
	}
}

// forks writes the pairs of children of one node.
func (e *encoder) forks(t *creditedTree, write func(*buffer, *pair)) {
	forks := 0
	for _, c := range t.children() {
		if len(c) > 1 {
			forks++
			e.pairs("fork", c, e.fork, write)
		}
	}
	if forks == 0 && slices.Contains(t.keep, true) { // two trajectories of a tree part somewhere
		e.m.omit("tree", advantage.ReasonOneTrajectory, "", t.ID)
	}
}

// children returns, by node, those children that trajectories which ended go through.
func (t *creditedTree) children() [][]candidate {
	returns, kept := make([][]sparkd.Amount, len(t.Nodes)), make([]bool, len(t.Nodes))
	for _, end := range t.Ended() {
		earned := t.Earned(end.ID)
		for at := end.ID; at > 0; at = t.Nodes[at].Parent {
			returns[at] = append(returns[at], earned)
			kept[at] = kept[at] || t.keep[end.ID]
		}
	}
	children := make([][]candidate, len(t.Nodes))
	for node, through := range returns {
		if len(through) > 0 {
			mean := sparkd.Mean(len(through), func(i int) sparkd.Amount { return through[i] })
			parent := t.Nodes[node].Parent
			children[parent] = append(children[parent], candidate{t, node, mean, kept[node]})
		}
	}
	return children
}

// pairs writes the pairs of candidates, those that differ most first, of which the filter has both sides. find finds
// where the two sides of a pair part, unless they are no pair.
func (e *encoder) pairs(what string, c []candidate, find func(*pair) bool, write func(*buffer, *pair)) {
	all := widest(c, e.o.Pairs.Margin)
	if len(all) == 0 {
		e.m.omit(what, "no two returns differ by the margin", "", c[0].tree.ID)
	}
	made := 0
	for i := range all {
		p := &all[i]
		if e.o.Pairs.Most > 0 && made == e.o.Pairs.Most {
			e.m.omit("pair", "more pairs than are wanted of a fork or group", "pairs_most", p.chosen.tree.ID)
			continue
		}
		if !find(p) || !e.sound(p) {
			continue
		}
		if made++; !p.chosen.kept || !p.rejected.kept {
			e.m.omit("pair", "the filter leaves one of its outputs out", "", p.chosen.tree.ID)
			continue
		}
		write(&e.out, p)
		trained := tokens(p.preferred) + tokens(p.dispreferred)
		e.m.Tokens += 2*tokens(p.context) + trained
		e.m.TrainedTokens += trained
		e.weight.Add(float64(trained))
		e.end()
	}
}

// widest returns the pairs of candidates whose values differ by the margin, those that differ most first.
func widest(c []candidate, margin float64) []pair {
	slices.SortStableFunc(c, func(a, b candidate) int { return cmp.Compare(b.value.Value, a.value.Value) })
	least := sparkd.Given(margin)
	var all []pair
	for i := range c {
		for j := i + 1; j < len(c); j++ {
			if d := c[i].value.Minus(c[j].value); d.Value > 0 && d.Compare(least) >= 0 {
				all = append(all, pair{chosen: &c[i], rejected: &c[j], width: d.Value})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b pair) int { return cmp.Compare(b.width, a.width) })
	return all
}

// fork finds the fork of two children of one node.
func (e *encoder) fork(p *pair) bool {
	a, b := p.chosen.tree.Nodes[p.chosen.node], p.rejected.tree.Nodes[p.rejected.node]
	p.fork, p.preferred, p.dispreferred = a.Parent, continuation(a), continuation(b)
	return true
}

// part finds the last node that two trajectories share. Those of different trees share the opening.
func (e *encoder) part(p *pair) bool {
	chosen, rejected := p.chosen, p.rejected
	a, b := chosen.tree.Path(chosen.node), rejected.tree.Path(rejected.node)
	shared := 1
	for chosen.tree == rejected.tree && a[shared] == b[shared] {
		shared++
	}
	p.fork = a[shared-1].ID
	if !slices.Equal(chosen.tree.Tokens(p.fork), rejected.tree.Tokens(b[shared-1].ID)) {
		e.m.omit("pair", "its trajectories do not begin with the same tokens", "", chosen.tree.ID)
		return false
	}
	p.preferred, p.dispreferred = continuation(a[shared:]...), continuation(b[shared:]...)
	return true
}

// sound gives a pair its context, and counts it as left out where there is a reason to.
func (e *encoder) sound(p *pair) bool {
	t := p.chosen.tree.Tree
	p.context = preceding(t, p.fork)
	if !e.hasMessages("pair", t, p.context) {
		return false
	}
	again := func(p piece) bool { return p.span.Source == sparkd.SourcePrompt }
	same := func(x, y piece) bool { return slices.Equal(x.tokens, y.tokens) }
	switch {
	case slices.ContainsFunc(p.preferred, again) || slices.ContainsFunc(p.dispreferred, again):
		reason := "its trajectories are no single sequences in the window context"
		e.m.omit("pair", reason, "pairs=sibling", t.ID)
		return false
	case slices.EqualFunc(p.preferred, p.dispreferred, same):
		e.m.omit("pair", "both outputs are the same", "", t.ID)
		return false
	case slices.Equal(turns(p.preferred), turns(p.dispreferred)):
		e.m.omit("pair", "both outputs have the same text", "", t.ID)
		return false
	}
	return true
}
