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
	// Margin is the least difference of the mean returns, in the environment's unit; a
	// pair of equals is never made.
	Margin float64 `json:"margin"`
	// Most is the number of pairs of a fork, or of a group, the widest first; 0: all.
	Most int `json:"most"`
}

// TRLDPOLine is one line of format "trl-dpo": a preference pair of TRL's DPOTrainer, which
// tokenizes the messages; the ids are what the model saw and sampled.
type TRLDPOLine struct {
	Prompt         []Message `json:"prompt"`          // system, user and assistant turns before the fork
	Chosen         []Message `json:"chosen"`          // the output with the higher return; with pairs group all that follows
	Rejected       []Message `json:"rejected"`        // the other one
	PromptIDs      []int32   `json:"prompt_ids"`      // all tokens before the fork
	ChosenIDs      []int32   `json:"chosen_ids"`      // tokens of chosen
	RejectedIDs    []int32   `json:"rejected_ids"`    // tokens of rejected
	ChosenReturn   float64   `json:"chosen_return"`   // mean return of the trajectories through it, in the environment's unit
	RejectedReturn float64   `json:"rejected_return"` // the same of the other one
	UID            string    `json:"uid"`             // the group: "rollout/env/split/index"
	ForkUID        string    `json:"fork_uid"`        // the node both follow, "tree:node"
	ChosenUID      string    `json:"chosen_uid"`      // node of the output, or the trajectory
	RejectedUID    string    `json:"rejected_uid"`    // the same of the other one
}

// candidate is one side of a pair.
type candidate struct {
	tree  *sparkd.Tree
	node  int     // of the output, or the leaf of a trajectory
	value float64 // mean return
}

// preferences writes the pairs of a tree's forks, or enters its trajectories for the
// pairs of the group.
func (e *encoder) preferences(t *sparkd.Tree, copies []step) {
	if e.o.Pairs.By == "group" {
		e.compete(t, copies)
		return
	}
	children := make([][]candidate, len(t.Nodes))
	for _, s := range merge(copies, len(t.Nodes)) {
		parent := t.Nodes[s.Node].Parent
		children[parent] = append(children[parent], candidate{t, s.Node, s.Return})
	}
	forks := 0
	for _, c := range children {
		if len(c) > 1 {
			forks++
			e.pairs("fork", c, e.sibling)
		}
	}
	if forks == 0 && len(copies) > 0 { // two trajectories of a tree part somewhere
		e.m.leave("tree", advantage.ReasonOneTrajectory, "", t.ID)
	}
}

// compete enters the trajectories of a tree for the pairs of its group.
func (e *encoder) compete(t *sparkd.Tree, copies []step) {
	for _, s := range copies {
		if n := len(e.rivalry); n == 0 || e.rivalry[n-1].tree != t || e.rivalry[n-1].node != s.Leaf {
			e.rivalry = append(e.rivalry, candidate{t, s.Leaf, t.Return(s.Leaf)})
		}
	}
}

// pairs calls emit with the pairs of candidates, those that differ most first.
func (e *encoder) pairs(what string, c []candidate, emit func(chosen, rejected candidate) bool) {
	slices.SortStableFunc(c, func(a, b candidate) int { return cmp.Compare(b.value, a.value) })
	type pair struct{ chosen, rejected candidate }
	var all []pair
	for i := range c {
		for j := i + 1; j < len(c); j++ {
			if d := c[i].value - c[j].value; d > 0 && d >= e.o.Pairs.Margin {
				all = append(all, pair{c[i], c[j]})
			}
		}
	}
	if len(all) == 0 {
		e.m.leave(what, "no two returns differ by the margin", "", c[0].tree.ID)
	}
	slices.SortStableFunc(all, func(a, b pair) int {
		return cmp.Compare(b.chosen.value-b.rejected.value, a.chosen.value-a.rejected.value)
	})
	made := 0
	for _, p := range all {
		if e.o.Pairs.Most > 0 && made == e.o.Pairs.Most {
			e.m.leave("pair", "more pairs than are wanted of a fork or group", "pairs_most", p.chosen.tree.ID)
			continue
		}
		if emit(p.chosen, p.rejected) {
			made++
		}
	}
}

// sibling writes a pair of children of one node.
func (e *encoder) sibling(chosen, rejected candidate) bool {
	t := chosen.tree
	a, b := continuation(t.Nodes[chosen.node]), continuation(t.Nodes[rejected.node])
	return e.pair(t.Nodes[chosen.node].Parent, chosen, rejected, a, b)
}

// rivals writes a pair of trajectories, from the last node that they share on. Those of
// different trees share the opening.
func (e *encoder) rivals(chosen, rejected candidate) bool {
	a, b := chosen.tree.Path(chosen.node), rejected.tree.Path(rejected.node)
	shared := 1
	for chosen.tree == rejected.tree && a[shared] == b[shared] {
		shared++
	}
	fork := a[shared-1].ID
	if !slices.Equal(chosen.tree.Tokens(fork), rejected.tree.Tokens(b[shared-1].ID)) {
		e.m.leave("pair", "its trajectories do not begin with the same tokens", "", chosen.tree.ID)
		return false
	}
	return e.pair(fork, chosen, rejected, continuation(a[shared:]...), continuation(b[shared:]...))
}

// pair writes a line, unless there is a reason not to.
func (e *encoder) pair(fork int, chosen, rejected candidate, a, b []piece) bool {
	t := chosen.tree
	prompt := e.context(t, fork)
	if !e.told("pair", t, prompt) {
		return false
	}
	again := func(p piece) bool { return p.span.Source == sparkd.SourcePrompt }
	switch {
	case slices.ContainsFunc(a, again) || slices.ContainsFunc(b, again):
		e.m.leave("pair", "its trajectories are no single sequences in the window context", "pairs=sibling", t.ID)
		return false
	case slices.EqualFunc(a, b, func(x, y piece) bool { return slices.Equal(x.tokens, y.tokens) }):
		e.m.leave("pair", "both outputs are the same", "", t.ID)
		return false
	}
	l := &e.line
	l.open("")
	l.messages("prompt", prompt)
	l.messages("chosen", a)
	l.messages("rejected", b)
	l.ids("prompt_ids", prompt)
	l.ids("chosen_ids", a)
	l.ids("rejected_ids", b)
	e.m.Tokens += 2*tokens(prompt) + tokens(a) + tokens(b)
	e.m.TrainedTokens += tokens(a) + tokens(b)
	e.m.Weight += float64(tokens(a) + tokens(b))
	l.number("chosen_return", chosen.value)
	l.number("rejected_return", rejected.value)
	l.str("uid", e.uid)
	e.node("fork_uid", t, fork)
	e.node("chosen_uid", t, chosen.node)
	e.node("rejected_uid", rejected.tree, rejected.node)
	e.end()
	return true
}
