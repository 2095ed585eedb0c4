package export

// SlimeLine is one line of format "slime": a Sample of slime (slime/utils/types.py).
type SlimeLine struct {
	GroupIndex     int       `json:"group_index"`       // number of the group, of its name
	Index          int       `json:"index"`             // number of the sequence, of its name
	RolloutID      int       `json:"rollout_id"`        // number of the trajectory: its sequences count as one rollout
	Prompt         string    `json:"prompt"`            // text of the prompt as rendered; option Text
	Tokens         []int32   `json:"tokens"`            // the whole sequence, up to the last trained token
	Response       string    `json:"response"`          // text of outputs and observations; option Text
	ResponseLength int       `json:"response_length"`   // tokens from the first trained one on
	Label          string    `json:"label"`             // the task, "env/split/index"
	Reward         float64   `json:"reward"`            // of the trajectory: sum of its rewards, in the environment's unit
	LossMask       []int     `json:"loss_mask"`         // of the response: 1 where the token is trained
	WeightVersions []string  `json:"weight_versions"`   // policy version of each step
	RolloutLogProb []float32 `json:"rollout_log_probs"` // nats, of the response, 0.0 where the mask is 0; null: not known
	RemoveSample   bool      `json:"remove_sample"`     // false
	Status         string    `json:"status"`            // "completed", or "truncated" where a limit ended the trajectory
	Metadata       Origin    `json:"metadata"`          // where the sequence comes from, one value a token of the response
}

func (e *encoder) slime(s *sample) {
	l, response := &e.line, s.pieces[s.prompt:]
	l.open("")
	l.integer("group_index", number(e.uid))
	l.integer("index", number(s.name()))
	l.integer("rollout_id", number(s.trajectory()))
	l.str("prompt", rendered(e.textual(s.pieces[:s.prompt])))
	l.ids("tokens", s.pieces)
	l.str("response", rendered(e.textual(response)))
	l.integer("response_length", tokens(response))
	l.str("label", e.task)
	l.number("reward", s.ret())
	l.mask("loss_mask", response)
	l.key("weight_versions")
	l.b = append(l.b, '[')
	for _, n := range s.nodes {
		l.b = append(appendString(l.b, n.PolicyVersion), ',')
	}
	l.close()
	l.knownLogprobs("rollout_log_probs", s)
	l.boolean("remove_sample", false)
	status := "completed"
	if s.truncated() {
		status = "truncated"
	}
	l.str("status", status)
	e.origin("metadata", s, response)
	e.end()
}
