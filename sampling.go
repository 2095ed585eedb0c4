package sparkd

import (
	"fmt"
	"math"
)

// Sampling says how tokens are drawn. The zero values of TopK, TopP and MinP switch the filter off; filters apply
// in the order top-k, top-p, min-p to the distribution after temperature.
type Sampling struct {
	Temperature  float64  `json:"temperature"`     // 0 is greedy
	TopK         int      `json:"top_k,omitempty"` // 0: off
	TopP         float64  `json:"top_p,omitempty"` // 0 or 1: off
	MinP         float64  `json:"min_p,omitempty"` // 0: off
	MaxTokens    int      `json:"max_tokens"`
	Stop         []string `json:"stop,omitempty"`
	StopTokenIDs []Token  `json:"stop_token_ids,omitempty"` // besides the model's end-of-turn tokens
}

// DefaultSampling is what a request gets where it is silent: the behaviour policy
// itself (temperature 1, no filter), so that all definitions of a logprob coincide.
func DefaultSampling() Sampling { return Sampling{Temperature: 1, MaxTokens: 512} }

// Limits of Sampling.
const (
	MaxStops      = 16
	MaxStopTokens = 64
	MaxStopLength = 256
	MaxMaxTokens  = 1 << 16
)

// Validate names the first field at fault, below prefix ("sampling").
func (s *Sampling) Validate(prefix string) error {
	field := func(n string) string { return prefix + "." + n }
	switch {
	case !Finite(s.Temperature) || s.Temperature < 0:
		return Invalid(field("temperature"), "use 0 (greedy) or a finite number above it; 1 is the usual",
			"%v is not a temperature", s.Temperature)
	case s.Temperature > 100:
		return Invalid(field("temperature"), "use at most 100", "%v is too high", s.Temperature)
	case s.TopK < 0:
		return Invalid(field("top_k"), "use 0 to switch it off", "%d is negative", s.TopK)
	case !Finite(s.TopP) || s.TopP < 0 || s.TopP > 1:
		return Invalid(field("top_p"), "use a number from 0 to 1; 0 and 1 switch it off", "%v is out of range", s.TopP)
	case !Finite(s.MinP) || s.MinP < 0 || s.MinP > 1:
		return Invalid(field("min_p"), "use a number from 0 to 1; 0 switches it off", "%v is out of range", s.MinP)
	case s.MaxTokens < 1 || s.MaxTokens > MaxMaxTokens:
		return Invalid(field("max_tokens"), fmt.Sprintf("use 1 to %d", MaxMaxTokens), "%d is out of range", s.MaxTokens)
	case len(s.Stop) > MaxStops:
		return Invalid(field("stop"), fmt.Sprintf("use at most %d strings", MaxStops), "%d stop strings", len(s.Stop))
	case len(s.StopTokenIDs) > MaxStopTokens:
		return Invalid(field("stop_token_ids"), fmt.Sprintf("use at most %d ids", MaxStopTokens), "%d stop tokens",
			len(s.StopTokenIDs))
	}
	for i, t := range s.Stop {
		if t == "" || len(t) > MaxStopLength {
			return Invalid(fmt.Sprintf("%s[%d]", field("stop"), i), fmt.Sprintf("use 1 to %d bytes", MaxStopLength),
				"stop string of %d bytes", len(t))
		}
	}
	for i, t := range s.StopTokenIDs {
		if t < 0 {
			return Invalid(fmt.Sprintf("%s[%d]", field("stop_token_ids"), i), "ids start at 0",
				"%d is not a token id", t)
		}
	}
	return nil
}

// Finite reports whether x is a number, neither NaN nor infinite.
func Finite[F float32 | float64](x F) bool {
	return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
}
