package export

// atroposFormat has a ScoredDataGroup of Atropos, all sequences of one task
// (atroposlib/envs/base.py), as POST /scored_data takes it.
var atroposFormat = format{
	name: "atropos", about: "ScoredDataGroup of Atropos", logprobs: true,
	lines: wholeGroups(fields[[]sample]{
		{"tokens", each(ids((*sample).all)), "of each sequence, up to its last trained token"},
		{"masks", each(labels((*sample).all)), "the id where the token is trained, -100 where it is not"},
		{"scores", each(number((*sample).ret)), "return of the sequence's trajectory, in the environment's unit"},
		{"advantages", each(pieceNumbers((*sample).all, (*piece).coefficient)),
			"of each token, times its weight; 0 where it is not trained"},
		{"inference_logprobs", each(logprobs((*sample).all, "1.0")), "nats, 1.0 where the token is not trained"},
		{"messages", only(withText, each(messages((*sample).all))), "of each sequence; option Text"},
		{"overrides", each(object(fields[*sample]{
			{"traj_uid", uid((*sample).ends), `the trajectory, "tree:leaf"`},
			{"segment", integer(func(s *sample) int { return s.segment }), "place of the sequence in its trajectory"},
			{"policy_version", text((*sample).lastVersion), "the weights that sampled the last step"},
		})), "which sequence this is"},
		{"group_overrides", object(fields[[]sample]{
			{"uid", text(func(group []sample) string { return group[0].uid }), `the group: "rollout/env/split/index"`},
			{"group_size", integer(func(group []sample) int { return len(group) }), "sequences"},
		}), "which group this is"},
	}),
}

// each is what a value is of every sample of a group.
func each(v value[*sample]) value[[]sample] {
	return list(func(group []sample) []*sample {
		samples := make([]*sample, len(group))
		for i := range group {
			samples[i] = &group[i]
		}
		return samples
	}, v)
}
