package export

import "strconv"

// trlKTOFormat has a step as unpaired preference data of TRL's KTOTrainer, which tokenizes
// the messages; the ids are what the model saw and sampled.
var trlKTOFormat = format{
	name: "trl-kto", about: "labelled steps of TRL's KTOTrainer", messages: true, unestimated: true,
	lines: labelledSteps(fields[*row]{
		{"prompt", messages((*row).contextPieces), "system, user and assistant turns before the step"},
		{"completion", messages((*row).completionPieces), "the step's output"},
		{"label", boolean((*row).label),
			"the trajectory reached the goal; merged: more than half of them did"},
		{"prompt_ids", ids((*row).contextPieces), "all tokens before the output"},
		{"completion_ids", ids((*row).completionPieces), "of the output"},
		{"weight", number((*row).weightOf), "of the step's loss; see dedupe"},
		{"uid", text((*row).uidOf), aboutGroup},
		{"node_uid", uid((*row).nodeUID), `the step, "tree:node"`},
	}),
}

func (r *row) label() bool               { return r.Won > .5 }
func (r *row) contextPieces() []piece    { return r.context }
func (r *row) completionPieces() []piece { return r.completion }

// labelled gives a row its messages, and counts it as left out where it has no label or they are not known.
func (e *encoder) labelled(r *row) bool {
	if r.Won == .5 {
		e.m.omit("step", "as many of its trajectories reached the goal as did not",
			"dedupe=copies labels it once per trajectory", r.tree.ID)
		return false
	}
	r.context, r.completion = preceding(r.tree.Tree, r.node.Parent), continuation(r.node)
	if !e.hasMessages("step", r.tree.Tree, r.context) {
		return false
	}
	e.m.labelled(strconv.FormatBool(r.label()), 1)
	return true
}
