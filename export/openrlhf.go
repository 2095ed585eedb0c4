package export

import "strconv"

// OpenRLHFLine is one line of format "openrlhf": what the execute method of an
// AgentExecutorBase of OpenRLHF returns (openrlhf/utils/agent.py).
type OpenRLHFLine struct {
	Prompt            string       `json:"prompt"`             // text of the prompt as rendered; option Text
	Label             string       `json:"label"`              // the task, "env/split/index"
	Reward            float64      `json:"reward"`             // of the trajectory: sum of its rewards, in the environment's unit
	Scores            float64      `json:"scores"`             // 1 for outcome success, else 0; for dynamic filtering
	ObservationTokens []int32      `json:"observation_tokens"` // the whole sequence, up to the last trained token
	ActionRanges      [][]int      `json:"action_ranges"`      // of the trained tokens: first index, index behind the last
	RolloutLogProbs   []float32    `json:"rollout_log_probs"`  // nats, of the whole sequence, 0.0 for tokens that are not trained; null: not known
	Truncated         bool         `json:"truncated"`          // a limit ended the trajectory, not the environment
	ExtraLogs         OpenRLHFLogs `json:"extra_logs"`         // numbers that OpenRLHF logs
	Metadata          Origin       `json:"metadata"`           // where the sequence comes from, one value a token of the sequence
}

// OpenRLHFLogs are of the trajectory of an OpenRLHFLine.
type OpenRLHFLogs struct {
	Success float64 `json:"success"` // 1 for outcome success, else 0
	Steps   float64 `json:"steps"`   // of the trajectory
}

func (e *encoder) openRLHF(s *sample) {
	l := &e.line
	l.open("")
	l.str("prompt", rendered(e.textual(s.pieces[:s.prompt])))
	l.str("label", e.task)
	l.number("reward", s.ret())
	l.number("scores", indicator(s.won()))
	l.ids("observation_tokens", s.pieces)
	l.ranges("action_ranges", s.pieces)
	if s.known {
		l.pieceLogprobs("rollout_log_probs", "0.0,", s.pieces)
	} else {
		l.null("rollout_log_probs")
	}
	l.boolean("truncated", s.truncated())
	l.open("extra_logs")
	l.number("success", indicator(s.won()))
	l.number("steps", float64(s.leaf.Depth))
	l.shut()
	e.origin("metadata", s, s.pieces)
	e.end()
}

// ranges appends where the trained tokens stand, neighbouring pieces as one range.
func (l *line) ranges(name string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	at, from := 0, -1
	end := func() {
		if from >= 0 {
			l.b = strconv.AppendInt(append(l.b, '['), int64(from), 10)
			l.b = strconv.AppendInt(append(l.b, ','), int64(at), 10)
			l.b = append(l.b, ']', ',')
		}
		from = -1
	}
	for i := range pieces {
		p := &pieces[i]
		switch {
		case len(p.tokens) == 0:
		case !p.trained:
			end()
		case from < 0:
			from = at
		}
		at += len(p.tokens)
	}
	end()
	l.close()
}
