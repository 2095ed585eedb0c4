package sampler

import (
	"math"

	"sparkd"
)

// firstTokens is the window of FirstEntropy, as in ARPO and SPARK's entropy criterion.
const firstTokens = 20

// signals sums up the doubt in one sample. Entropies are those of the full distribution that the engine reports.
// SPARK's released code has only the top-10 logprobs and adds theirs up over the window; FirstEntropy is the mean
// over the window divided by ln|V|, so that it lies between 0 and 1 for every vocabulary.
func signals(s *sparkd.Sample, vocabulary int) sparkd.Signals {
	var g sparkd.Signals
	for _, l := range s.Logprobs {
		g.LogprobSum += float64(l)
	}
	for i, m := range s.Margins {
		if i == 0 || float64(m) < g.MinMargin {
			g.MinMargin = float64(m)
		}
	}
	if len(s.Entropies) == 0 {
		return g
	}
	g.HasEntropy = true
	first, sum := 0.0, 0.0
	for i, e := range s.Entropies {
		h := float64(e)
		sum += h
		g.MaxEntropy = max(g.MaxEntropy, h)
		if i < firstTokens {
			first += h
		}
	}
	g.MeanEntropy = sum / float64(len(s.Entropies))
	if vocabulary > 1 {
		g.FirstEntropy = first / float64(min(firstTokens, len(s.Entropies))) / math.Log(float64(vocabulary))
	}
	return g
}
