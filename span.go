package sparkd

import "fmt"

// Token is a vocabulary id of the model that produced or reads it.
type Token = int32

// Source says who wrote a span, and with that whether it is trained on.
type Source string

const (
	SourcePrompt Source = "prompt" // opening context: system text, task, first observation
	SourceModel  Source = "model"  // sampled; the only source with a loss
	SourceEnv    Source = "env"    // observation and the template text around it
)

// Span is a run of tokens of one source.
//
// The per-token slices of a model span have the length of Tokens, or are nil where the engine cannot say; those of
// other spans are nil. Logprobs are natural logarithms under the raw distribution (temperature 1, nothing cut
// off); SampledLogprobs under the distribution that was sampled from, nil when the two are the same; Entropies are
// nats of the full raw distribution.
type Span struct {
	Source          Source    `json:"source"`
	Tokens          []Token   `json:"tokens"`
	Logprobs        []float32 `json:"logprobs,omitempty"`
	SampledLogprobs []float32 `json:"sampled_logprobs,omitempty"`
	Entropies       []float32 `json:"entropies,omitempty"`
	Text            string    `json:"text,omitempty"`
	// Turns says where in Text the messages of a rendered conversation stand, in order;
	// what lies between them is the chat template's. Prompt spans only.
	Turns []Turn `json:"turns,omitempty"`
	// TokenExact is false when an engine could not report ids and Tokens were reconstructed from text.
	TokenExact bool `json:"token_exact"`
}

// Turn is one message of a conversation that a prompt's Text renders.
type Turn struct {
	Role string `json:"role"` // "system", "user" or "assistant"
	From int    `json:"from"` // first byte of the message in Text
	To   int    `json:"to"`   // behind its last byte
}

// Validate reports lengths that disagree and numbers that are not finite.
func (s *Span) Validate() error {
	switch s.Source {
	case SourcePrompt, SourceModel, SourceEnv:
	default:
		return Invalid("source", "one of prompt, model, env", "unknown span source %q", s.Source)
	}
	for _, f := range []struct {
		name   string
		values []float32
	}{{"logprobs", s.Logprobs}, {"sampled_logprobs", s.SampledLogprobs}, {"entropies", s.Entropies}} {
		if f.values == nil {
			continue
		}
		if s.Source != SourceModel {
			return Invalid(f.name, "only model spans carry them", "a %s span has %s", s.Source, f.name)
		}
		if len(f.values) != len(s.Tokens) {
			return Invalid(f.name, "one value per token", "%d values for %d tokens", len(f.values), len(s.Tokens))
		}
		for i, v := range f.values {
			if !Finite(v) {
				return Invalid(fmt.Sprintf("%s[%d]", f.name, i), "numbers must be finite", "value %v", v)
			}
		}
	}
	end := 0
	for i, t := range s.Turns {
		if s.Source != SourcePrompt || t.From < end || t.To < t.From || t.To > len(s.Text) {
			return Invalid(fmt.Sprintf("turns[%d]", i), "messages of a prompt, one behind the other inside text",
				"bytes %d to %d", t.From, t.To)
		}
		end = t.To
	}
	return nil
}

// KnownLogprobs returns the raw logprobs or, from an engine that reports no others, those of the distribution that
// was sampled from; nil where there are none.
func (s *Span) KnownLogprobs() []float32 {
	if s.Logprobs != nil {
		return s.Logprobs
	}
	return s.SampledLogprobs
}

// Trained reports whether the span's tokens carry a loss.
func (s *Span) Trained() bool { return s.Source == SourceModel }
