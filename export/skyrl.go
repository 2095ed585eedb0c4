package export

import "sparkd"

// skyRLFormat has one element of each column of a GeneratorOutput of SkyRL (skyrl/train/generators/base.py).
var skyRLFormat = format{
	name: "skyrl", about: "elements of SkyRL's GeneratorOutput",
	lines: sequences(fields[*sample]{
		{"prompt_token_ids", ids((*sample).before), aboutBefore},
		{"response_ids", ids((*sample).response), aboutResponse},
		{"rewards", number((*sample).ret), aboutReturn},
		{"loss_masks", mask((*sample).response), "1 where the response's token is trained"},
		{"stop_reasons", text((*sample).stopReason), `of the last step: "stop", or "length" where sampling was cut`},
		{"rollout_logprobs", knownLogprobs((*sample).response), "nats, 0.0 where the mask is 0; null: not known"},
		{"trajectory_ids", object(fields[*sample]{
			{"instance_id", text((*sample).uidOf), "the group"},
			{"repetition_id", integer(func(s *sample) int { return s.place }), "the trajectory's place in it, from 0"},
		}), "which trajectory of which group"},
		{"is_last_step", boolean(func(s *sample) bool { return s.last }), "the trajectory's last sequence"},
		{"metadata", origin((*sample).response), aboutOrigin},
	}),
}

func (s *sample) stopReason() string {
	if f := s.nodes[len(s.nodes)-1].Finish; f != "" && f != sparkd.FinishStop {
		return "length"
	}
	return "stop"
}
