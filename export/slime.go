package export

// slimeFormat has a Sample of slime (slime/utils/types.py).
var slimeFormat = format{
	name: "slime", about: "Sample of slime",
	lines: sequences(fields[*sample]{
		{"group_index", integer((*sample).groupNumber), "number of the group, of its name"},
		{"index", integer(func(s *sample) int { return nameNumber(s.name()) }), "number of the sequence, of its name"},
		{"rollout_id", integer(func(s *sample) int { return nameNumber(s.trajectory()) }),
			"number of the trajectory: its sequences count as one rollout"},
		{"prompt", rendered(ifText((*sample).before)), "text of the prompt as rendered; option Text"},
		{"tokens", ids((*sample).all), "the whole sequence, up to the last trained token"},
		{"response", rendered(ifText((*sample).response)), "text of outputs and observations; option Text"},
		{"response_length", integer(func(s *sample) int { return tokens(s.response()) }),
			"tokens from the first trained one on"},
		{"label", text((*sample).taskOf), `the task, "env/split/index"`},
		{"reward", number((*sample).ret), aboutReturn},
		{"loss_mask", mask((*sample).response), "of the response: 1 where the token is trained"},
		{"weight_versions", list((*sample).versions, text(itself[string])), "policy version of each step"},
		{"rollout_log_probs", knownLogprobs((*sample).response),
			"nats, of the response, 0.0 where the mask is 0; null: not known"},
		{"remove_sample", boolean(func(*sample) bool { return false }), "false"},
		{"status", text((*sample).status), `"completed", or "truncated" where a limit ended the trajectory`},
		{"metadata", origin((*sample).response), "where the sequence comes from, one value a token of the response"},
	}),
}

func (s *sample) versions() []string {
	versions := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		versions[i] = n.PolicyVersion
	}
	return versions
}

func (s *sample) status() string {
	if s.truncated() {
		return "truncated"
	}
	return "completed"
}
