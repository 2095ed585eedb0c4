package export

import "strconv"

// verlAgentFormat has a step as the rollout loops of verl-agent and SPARK gather it
// (agent_system/multi_turn_rollout/rollout_loop.py). Their trainers pad prompts and responses.
var verlAgentFormat = format{
	name: "verl-agent", about: "one step, as verl-agent gathers it",
	lines: steps(fields[*row]{
		{"prompts", items[int32]((*row).appendPrompt), "all tokens before the response"},
		{"responses", items[int32]((*row).appendResponse), "what the model sampled in this step"},
		{"response_mask", ones((*row).length), "1 for every response token"},
		{"rollout_log_probs", floats(func(r *row) []float32 { return r.part(r.output.KnownLogprobs()) }),
			"nats, one a response token; null: none known"},
		{"uid", text((*row).uidOf), aboutUID},
		{"traj_uid", uid((*row).trajectory), `the trajectory, "tree:leaf"`},
		{"node_uid", uid((*row).nodeUID), `the step, "tree:node"; the same in all its copies`},
		{"step_id", text((*row).stepID), `"uid_leaf_step"`},
		{"anchor_obs", text((*row).anchor), aboutAnchor},
		{"is_action_valid", boolean(func(r *row) bool { return r.node.Valid }), "the output has the required format"},
		{"is_action_available", boolean(func(r *row) bool { return r.node.Admissible }),
			"the action was in the environment's list, or there was no list"},
		{"reasoning_modes", text(func(r *row) string { return mode(r.node) }), aboutMode},
		{"rewards", number((*row).reward), "of this step alone, in the environment's unit"},
		{"active_masks", boolean(func(*row) bool { return true }), "true: steps that were not played have no line"},
		{"episode_rewards", number(func(r *row) float64 { return r.Return }),
			"of the trajectory: sum of its rewards; a mean where it is merged"},
		{"episode_lengths", number(func(r *row) float64 { return r.Length }),
			"of the trajectory: steps; a mean where it is merged"},
		{"won", number(func(r *row) float64 { return r.Won }),
			"of the trajectory: " + aboutSuccess + "; a mean where it is merged"},
		{"node_repeated_times", integer(func(r *row) int { return r.Copies }), "trajectories that the line stands for"},
		{"advantage", number((*row).advantageOf), "of every response token"},
		{"weight", number((*row).weightOf), "of every response token's loss; see dedupe"},
		{"policy_version", text(func(r *row) string { return r.node.PolicyVersion }), aboutVersion},
	}),
}

func (r *row) stepID() string {
	return r.tree.uid + "_" + strconv.Itoa(r.Leaf) + "_" + strconv.Itoa(r.node.Depth)
}
