package export

// TRLGRPOLine is one line of format "trl-grpo": one completion as a rollout_func of TRL's
// GRPOTrainer returns it, which gathers the lines of its prompts into columns
// (trl/trainer/grpo_trainer.py). TRL hands reward and metadata on to reward functions.
type TRLGRPOLine struct {
	PromptIDs     []int32   `json:"prompt_ids"`     // all tokens before the first trained one
	CompletionIDs []int32   `json:"completion_ids"` // the tokens behind them: outputs and observations
	Logprobs      []float32 `json:"logprobs"`       // nats, 0.0 where env_mask is 0
	EnvMask       []int     `json:"env_mask"`       // 1 where the token is trained, 0 for tokens of the environment
	Reward        float64   `json:"reward"`         // of the trajectory: sum of its rewards, in the environment's unit
	Metadata      Origin    `json:"metadata"`       // where the sequence comes from
}

func (e *encoder) trlGRPO(s *sample) {
	l, completion := &e.line, s.pieces[s.prompt:]
	l.open("")
	l.ids("prompt_ids", s.pieces[:s.prompt])
	l.ids("completion_ids", completion)
	l.pieceLogprobs("logprobs", "0.0,", completion)
	l.mask("env_mask", completion)
	l.number("reward", s.ret())
	e.origin("metadata", s, completion)
	e.end()
}

// TRLAsyncLine is one line of format "trl-async": the fields of RolloutSample, which a
// rollout worker puts into the rollout_buffer of TRL's AsyncGRPOTrainer
// (trl/experimental/async_grpo/async_rollout_worker.py). It has one advantage, so steps
// of different advantage are lines of their own.
type TRLAsyncLine struct {
	Prompt         []Message       `json:"prompt"`          // option Text; TRL only logs it
	Completion     []Message       `json:"completion"`      // option Text
	InputIDs       []int32         `json:"input_ids"`       // up to the last trained token
	CompletionMask []int           `json:"completion_mask"` // 1 where the token is trained
	OldLogProbs    []float32       `json:"old_log_probs"`   // nats, 0.0 where the mask is 0
	Advantage      float64         `json:"advantage"`       // of every trained token, times its weight
	ModelVersion   int             `json:"model_version"`   // oldest policy version of the steps; 0 where that is no decimal number
	GroupID        int             `json:"group_id"`        // number of the group, of its name
	Metrics        TRLAsyncMetrics `json:"metrics"`         // what TRL averages and logs
}

// TRLAsyncMetrics are of the trajectory of a TRLAsyncLine.
type TRLAsyncMetrics struct {
	Reward  float64 `json:"reward"`  // sum of its rewards, in the environment's unit
	Success float64 `json:"success"` // 1 for outcome success, else 0
	Steps   float64 `json:"steps"`   // of the trajectory
}

func (e *encoder) trlAsync(s *sample) {
	l := &e.line
	l.open("")
	l.messages("prompt", e.textual(s.pieces[:s.prompt]))
	l.messages("completion", e.textual(s.pieces[s.prompt:]))
	l.ids("input_ids", s.pieces)
	l.mask("completion_mask", s.pieces)
	l.pieceLogprobs("old_log_probs", "0.0,", s.pieces)
	l.number("advantage", s.coefficient())
	l.integer("model_version", s.version())
	l.integer("group_id", number(e.uid))
	l.open("metrics")
	l.number("reward", s.ret())
	l.number("success", indicator(s.won()))
	l.number("steps", float64(s.leaf.Depth))
	l.shut()
	e.end()
}

// TRLSFTLine is one line of format "trl-sft": tokenized data of TRL's SFTTrainer, which
// takes labels as they are.
type TRLSFTLine struct {
	InputIDs []int32 `json:"input_ids"` // up to the last trained token
	Labels   []int32 `json:"labels"`    // the id where the token is trained, -100 where it is not
	Metadata Origin  `json:"metadata"`  // where the sequence comes from
}

func (e *encoder) trlSFT(s *sample) {
	l := &e.line
	l.open("")
	l.ids("input_ids", s.pieces)
	l.labels("labels", s.pieces)
	e.origin("metadata", s, s.pieces)
	e.end()
}
