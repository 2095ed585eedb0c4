//go:build cgo

package embedded

import (
	"math"
	"math/rand/v2"
	"testing"

	"sparkd/engine/embedded/gguftest"
)

func TestSummarizeAndDraw(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{})
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		logits := make([]float32, 1+r.IntN(5000))
		for i := range logits {
			logits[i] = float32(r.NormFloat64() * 5)
		}
		if seed%5 == 0 {
			logits[r.IntN(len(logits))] = float32(math.Inf(-1))
		}
		if len(logits) == 1 {
			logits[0] = 1
		}
		temperature := []float64{1, 0.4, 2.5}[seed%3]
		z, zt, h, best := naive(logits, temperature)
		s := m.summarize(logits, float32(temperature))
		if math.Abs(s.logZ-z) > 1e-5 || math.Abs(s.logZT-zt) > 1e-5 || math.Abs(s.entropy-h) > 1e-4 ||
			s.bestID != int32(best) || !s.finite {
			t.Fatalf("seed %d: %+v, want logZ %v logZT %v entropy %v best %d", seed, s, z, zt, h, best)
		}
		for range 20 {
			u := r.Float64()
			if got := m.draw(logits, float32(temperature), s, u); !nearQuantile(logits, temperature, zt, u, int(got)) {
				t.Fatalf("seed %d: draw(%v) = %d", seed, u, got)
			}
		}
	}
}

func naive(logits []float32, temperature float64) (z, zt, entropy float64, best int) {
	sum, sumT, top := 0.0, 0.0, math.Inf(-1)
	for i, x := range logits {
		if float64(x) > top {
			top, best = float64(x), i
		}
	}
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
		sumT += math.Exp((float64(x) - top) / temperature)
	}
	z, zt = top+math.Log(sum), top/temperature+math.Log(sumT)
	for _, x := range logits {
		if p := math.Exp(float64(x) - z); p > 0 {
			entropy -= p * (float64(x) - z)
		}
	}
	return z, zt, entropy, best
}

// nearQuantile reports whether u falls into got's share of the distribution, give or take
// the rounding of float32 sums.
func nearQuantile(logits []float32, temperature, zt, u float64, got int) bool {
	below := 0.0
	for _, x := range logits[:got] {
		below += math.Exp(float64(x)/temperature - zt)
	}
	above := below + math.Exp(float64(logits[got])/temperature-zt)
	return u >= below-1e-5 && u <= above+1e-5
}

func TestSummarizeRefusesWhatIsNotANumber(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{})
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		logits := make([]float32, 100)
		logits[40] = float32(bad)
		if m.summarize(logits, 1).finite {
			t.Errorf("%v counts as finite", bad)
		}
	}
}
