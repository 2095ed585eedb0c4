package remote

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The bound holds for every distribution and every part of it that is known.
func TestEntropyBound(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 500 {
		n := 2 + r.IntN(40)
		p, sum := make([]float64, n), 0.0
		for i := range p {
			p[i] = math.Exp(4 * r.NormFloat64())
			sum += p[i]
		}
		h, logs := 0.0, make([]float64, n)
		for i := range p {
			p[i] /= sum
			logs[i] = math.Log(p[i])
			h -= p[i] * logs[i]
		}
		known := 1 + r.IntN(n)
		if got := entropyBound(logs[:known]); got > h+1e-9 || known == n && math.Abs(got-h) > 1e-6 {
			t.Fatalf("%d of %d probabilities bound an entropy of %v by %v", known, n, h, got)
		}
	}
}
