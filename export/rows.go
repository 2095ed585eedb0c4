package export

import (
	"slices"

	"sparkd"
)

// rowsFormat has a step of a trajectory as a training sample. Unless dedupe is "copies" a
// step that several trajectories share is one row, and the fields said to be of the
// trajectory are means over them; a row can then be a part of a step, see offset.
var rowsFormat = format{
	name: "rows", about: "one step, as SPARK trains on it",
	lines: steps(slices.Concat(
		on((*row).credited, treeNames),
		fields[*row]{
			{"traj_uid", uid((*row).trajectory), `the trajectory, "tree:leaf"; merged: the first of them`},
			{"copies", integer(func(r *row) int { return r.Copies }),
				"trajectories that the row stands for; 1 with dedupe copies"},
			{"episode_reward", number(func(r *row) float64 { return r.Return }), aboutReturn},
			{"episode_length", number(func(r *row) float64 { return r.Length }), "of the trajectory: steps"},
			{"won", number(func(r *row) float64 { return r.Won }), "of the trajectory: " + aboutSuccess},
			{"score", number(func(r *row) float64 { return r.Score }),
				"what the estimator compared: scaled return minus format penalty"},
			{"advantage", number((*row).advantageOf), "of every response token"},
			{"weight", number((*row).weightOf), "of every response token's loss; see dedupe"},
			{"prompt_ids", items[int32]((*row).appendPrompt), "all tokens before the response, as the model saw them"},
			{"node_uid", uid((*row).nodeUID), `the step, "tree:node"; the same in all its copies`},
			{"step", integer(func(r *row) int { return r.node.Depth }), "1 for the first step"},
			{"offset", integer(func(r *row) int { return r.From }),
				"first of the step's sampled tokens that is in response_ids; those before it are in the prompt"},
			{"response_ids", items[int32]((*row).appendResponse), "what the model sampled in this step"},
			{"response_mask", ones((*row).length), "1 for every response token"},
			{"logprobs", floats(func(r *row) []float32 { return r.part(r.output.Logprobs) }),
				"nats, raw distribution, one a response token; null: none known"},
			{"sampled_logprobs", floats(func(r *row) []float32 { return r.part(r.output.SampledLogprobs) }),
				"nats, distribution sampled from; null: as logprobs"},
			{"entropies", only(withEntropies, floats(func(r *row) []float32 { return r.part(r.output.Entropies) })),
				"nats, full raw distribution; null: none known; option Entropies"},
			{"token_exact", boolean(func(r *row) bool { return r.at.exact }),
				"false: some sampled ids up to here were made from text"},
			{"reward", number((*row).reward), "of this step alone, in the environment's unit"},
		},
		on((*row).nodeOf, playedFields),
		fields[*row]{{"anchor_obs", text((*row).anchor), aboutAnchor}},
		on((*row).nodeOf, sampledFields),
		on((*row).nodeOf, textFields),
	)),
}

// playedFields are what a step made of its output.
var playedFields = fields[*sparkd.Node]{
	{"action", text(func(n *sparkd.Node) string { return n.Action }), `as parsed; "" when nothing could be`},
	{"valid", boolean(func(n *sparkd.Node) bool { return n.Valid }), "the output has the required format"},
	{"admissible", boolean(func(n *sparkd.Node) bool { return n.Admissible }),
		"the action was in the environment's list, or there was no list"},
	{"done", boolean(func(n *sparkd.Node) bool { return n.Done }), "the trajectory ends with this step"},
	{"outcome", text(func(n *sparkd.Node) sparkd.Outcome { return n.Outcome }),
		`how it ended; "" before its last step`},
	{"tag", text(mode), "reasoning mode: " + aboutMode},
	{"tags", list(func(n *sparkd.Node) []string { return n.Signals.Tags }, text(itself[string])),
		"all reasoning tags found complete"},
}

// sampledFields are how a step was sampled.
var sampledFields = fields[*sparkd.Node]{
	{"finish", text(func(n *sparkd.Node) sparkd.FinishReason { return n.Finish }),
		`why sampling stopped: "stop", "length", "full"`},
	{"policy_version", text(func(n *sparkd.Node) string { return n.PolicyVersion }), aboutVersion},
}

// textFields are what the option Text adds.
var textFields = fields[*sparkd.Node]{
	{"text", only(withText, text(func(n *sparkd.Node) string { return textOf(n, true) })),
		"the model's output; option Text"},
	{"observation", only(withText, text(func(n *sparkd.Node) string { return textOf(n, false) })),
		"the environment's answer; of node 0 the prompt; option Text"},
}

// textOf returns the text of a node's output, or all other.
func textOf(n *sparkd.Node, output bool) string {
	s := ""
	for i := range n.Spans {
		if n.Spans[i].Trained() == output {
			s += n.Spans[i].Text
		}
	}
	return s
}

// mode is SPARK's reasoning mode of a step: planning before explore before think, and
// where a request uses another tag, the first.
func mode(n *sparkd.Node) string {
	for _, m := range []string{"planning", "explore", "think"} {
		if n.Signals.Has(m, true) {
			return m
		}
	}
	if len(n.Signals.Tags) > 0 {
		return n.Signals.Tags[0]
	}
	return ""
}
