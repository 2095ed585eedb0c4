package export

import "sparkd"

// trlKTOFormat has a step as unpaired preference data of TRL's KTOTrainer, which tokenizes
// the messages; the ids are what the model saw and sampled.
var trlKTOFormat = format{
	name: "trl-kto", about: "labelled steps of TRL's KTOTrainer", messages: true,
	lines: labelledSteps(fields[*row]{
		{"prompt", messages((*row).prompted), "system, user and assistant turns before the step"},
		{"completion", messages((*row).answered), "the step's output"},
		{"label", boolean(func(r *row) bool { return r.Won > .5 }),
			"the trajectory reached the goal; merged: more than half of them did"},
		{"prompt_ids", ids((*row).prompted), "all tokens before the output"},
		{"completion_ids", ids((*row).answered), "of the output"},
		{"weight", number((*row).weightOf), "of the step's loss; see dedupe"},
		{"uid", text((*row).uidOf), aboutGroup},
		{"node_uid", uid((*row).nodeUID), `the step, "tree:node"`},
	}),
}

func (r *row) prompted() []piece { return r.before }
func (r *row) answered() []piece { return r.said }

// labelled gives a row its messages, and counts it as left out where it has no label or
// they are not known.
func (e *encoder) labelled(r *row) bool {
	if r.Won == .5 {
		e.m.leave("step", "as many of its trajectories reached the goal as did not",
			"dedupe=copies labels it once per trajectory", r.tree.ID)
		return false
	}
	r.before, r.said = e.context(r.tree.Tree, r.node.Parent), continuation(r.node)
	return e.spoken("step", r.tree.Tree, r.before)
}

// context returns the sequence that stands before the children of a node.
func (e *encoder) context(t *sparkd.Tree, node int) []piece {
	e.before = e.before[:0]
	for _, s := range t.Context(node) {
		e.before = append(e.before, piece{tokens: s.Tokens, span: s})
	}
	return e.before
}

// continuation returns the outputs of nodes that follow each other and what stands
// between them.
func continuation(nodes ...*sparkd.Node) []piece {
	var pieces []piece
	end := 0
	for _, n := range nodes {
		for i := range n.Spans {
			s := &n.Spans[i]
			pieces = append(pieces, piece{tokens: s.Tokens, span: s})
			if s.Trained() {
				end = len(pieces)
			}
		}
	}
	return pieces[:end]
}
