package export

// openRLHFFormat has what the execute method of an AgentExecutorBase of OpenRLHF returns (openrlhf/utils/agent.py).
var openRLHFFormat = format{
	name: "openrlhf", about: "what an AgentExecutor of OpenRLHF returns",
	lines: sequences(fields[*sample]{
		{"prompt", rendered(ifText((*sample).before)), "text of the prompt as rendered; option Text"},
		{"label", text((*sample).taskOf), `the task, "env/split/index"`},
		{"reward", number((*sample).ret), aboutReturn},
		{"scores", indicator((*sample).won), aboutSuccess + "; for dynamic filtering"},
		{"observation_tokens", ids((*sample).all), "the whole sequence, up to the last trained token"},
		{"action_ranges", list((*sample).ranges, list(itself[[]int], integer(itself[int]))),
			"of the trained tokens: first index, index behind the last"},
		{"rollout_log_probs", knownLogprobs((*sample).all),
			"nats, of the whole sequence, 0.0 for tokens that are not trained; null: not known"},
		{"truncated", boolean((*sample).truncated), "a limit ended the trajectory, not the environment"},
		{"extra_logs", object(fields[*sample]{
			{"success", indicator((*sample).won), aboutSuccess},
			{"steps", number((*sample).length), "of the trajectory"},
		}), "numbers that OpenRLHF logs"},
		{"metadata", origin((*sample).all), "where the sequence comes from, one value a token of the sequence"},
	}),
}

// ranges returns where the trained tokens stand, neighbouring pieces as one range.
func (s *sample) ranges() [][]int {
	var ranges [][]int
	at, inside := 0, false // inside the last range
	for i := range s.pieces {
		p := &s.pieces[i]
		n := len(p.tokens)
		switch {
		case n == 0:
			continue
		case p.trained && inside:
			ranges[len(ranges)-1][1] += n
		case p.trained:
			ranges = append(ranges, []int{at, at + n})
		}
		inside = p.trained
		at += n
	}
	return ranges
}
