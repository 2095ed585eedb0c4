package remote

import "math"

// entropyBound returns a lower bound of the entropy in nats of a distribution of which
// some tokens' logprobs are known: all others count as one token.
func entropyBound(logprobs []float64) float64 {
	h, rest := 0.0, 1.0
	for _, l := range logprobs {
		p := math.Exp(l)
		if p > 0 {
			h -= p * l
		}
		rest -= p
	}
	if rest > 0 {
		h -= rest * math.Log(rest)
	}
	return max(h, 0)
}
