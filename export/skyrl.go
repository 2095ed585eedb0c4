package export

// SkyRLLine is one line of format "skyrl": one element of each column of a
// GeneratorOutput of SkyRL (skyrl/train/generators/base.py).
type SkyRLLine struct {
	PromptTokenIDs  []int32         `json:"prompt_token_ids"` // all tokens before the first trained one
	ResponseIDs     []int32         `json:"response_ids"`     // the tokens behind them: outputs and observations
	Rewards         float64         `json:"rewards"`          // of the trajectory: sum of its rewards, in the environment's unit
	LossMasks       []int           `json:"loss_masks"`       // 1 where the response's token is trained
	StopReasons     string          `json:"stop_reasons"`     // of the last step: "stop", or "length" where sampling was cut
	RolloutLogprobs []float32       `json:"rollout_logprobs"` // nats, 0.0 where the mask is 0; null: not known
	TrajectoryIDs   SkyRLTrajectory `json:"trajectory_ids"`   // which trajectory of which group
	IsLastStep      bool            `json:"is_last_step"`     // the trajectory's last sequence
	Metadata        Origin          `json:"metadata"`         // where the sequence comes from
}

// SkyRLTrajectory is a TrajectoryID of SkyRL.
type SkyRLTrajectory struct {
	InstanceID   string `json:"instance_id"`   // the group
	RepetitionID int    `json:"repetition_id"` // the trajectory's place in it, from 0
}

func (e *encoder) skyRL(s *sample) {
	l, response := &e.line, s.pieces[s.prompt:]
	l.open("")
	l.ids("prompt_token_ids", s.pieces[:s.prompt])
	l.ids("response_ids", response)
	l.number("rewards", s.ret())
	l.mask("loss_masks", response)
	reason := "stop"
	if f := s.nodes[len(s.nodes)-1].Finish; f != "" && f != "stop" {
		reason = "length"
	}
	l.str("stop_reasons", reason)
	l.knownLogprobs("rollout_logprobs", s)
	l.open("trajectory_ids")
	l.str("instance_id", e.uid)
	l.integer("repetition_id", e.trajectory)
	l.shut()
	l.boolean("is_last_step", s.last)
	e.origin("metadata", s, response)
	e.end()
}
