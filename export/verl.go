package export

import "time"

// VerlLine is one line of format "verl": the fields of AgentLoopOutput, which an
// AgentLoopBase.run of verl returns (verl/experimental/agent_loop/agent_loop.py).
type VerlLine struct {
	PromptIDs        []int32     `json:"prompt_ids"`        // all tokens before the first trained one
	ResponseIDs      []int32     `json:"response_ids"`      // the tokens behind them: outputs and observations
	ResponseMask     []int       `json:"response_mask"`     // 1 where the token is trained
	ResponseLogprobs []float32   `json:"response_logprobs"` // nats, 0.0 where the mask is 0; null: not known of some trained token
	RewardScore      float64     `json:"reward_score"`      // of the trajectory: sum of its rewards, in the environment's unit
	NumTurns         int         `json:"num_turns"`         // messages, user and assistant
	Metrics          VerlMetrics `json:"metrics"`           // times, of AgentLoopMetrics
	ExtraFields      VerlExtra   `json:"extra_fields"`      // what verl keeps beside the batch
}

// VerlExtra are the extra fields of a VerlLine. They have one name, because verl joins
// them with the columns of its own batch, which has a uid.
type VerlExtra struct {
	Sparkd Origin `json:"sparkd"` // where the sequence comes from
}

// VerlMetrics are the times of the steps of a VerlLine.
type VerlMetrics struct {
	GenerateSequences float64 `json:"generate_sequences"` // seconds in the engine
	ToolCalls         float64 `json:"tool_calls"`         // seconds in the environment
}

func (e *encoder) verl(s *sample) {
	l, response := &e.line, s.pieces[s.prompt:]
	l.open("")
	l.ids("prompt_ids", s.pieces[:s.prompt])
	l.ids("response_ids", response)
	l.mask("response_mask", response)
	l.knownLogprobs("response_logprobs", s)
	l.number("reward_score", s.ret())
	l.integer("num_turns", 2*len(s.nodes))
	var sampling, acting time.Duration
	for _, n := range s.nodes {
		sampling += n.SampleTime
		acting += n.EnvTime
	}
	l.open("metrics")
	l.number("generate_sequences", sampling.Seconds())
	l.number("tool_calls", acting.Seconds())
	l.shut()
	l.open("extra_fields")
	e.origin("sparkd", s, response)
	l.shut()
	e.end()
}

// knownLogprobs appends the logprobs of the response with 0.0 for tokens that are not
// trained, or null where some trained token has none.
func (l *line) knownLogprobs(name string, s *sample) {
	if !s.known {
		l.null(name)
		return
	}
	l.pieceLogprobs(name, "0.0,", s.pieces[s.prompt:])
}
