package embedded

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// naiveKeep is keep by a full sort and three passes, each renormalising what the one
// before left.
func naiveKeep(logits []float32, p *sparkd.Sampling) []sparkd.Token {
	type token struct {
		id   sparkd.Token
		prob float64
	}
	var all []token
	best := float64(slices.Max(logits))
	for id, x := range logits {
		all = append(all, token{int32(id), math.Exp((float64(x) - best) / p.Temperature)})
	}
	slices.SortStableFunc(all, func(a, b token) int {
		switch {
		case a.prob > b.prob:
			return -1
		case a.prob < b.prob:
			return 1
		}
		return 0
	})
	normalise := func() {
		sum := 0.0
		for _, x := range all {
			sum += x.prob
		}
		for i := range all {
			all[i].prob /= sum
		}
	}
	if p.TopK > 0 {
		all = all[:min(p.TopK, len(all))]
	}
	normalise()
	if p.TopP > 0 && p.TopP < 1 {
		sum := 0.0
		for i, x := range all {
			if sum += x.prob; sum >= p.TopP {
				all = all[:i+1]
				break
			}
		}
	}
	normalise()
	var kept []sparkd.Token
	for _, x := range all {
		if x.prob >= p.MinP*all[0].prob {
			kept = append(kept, x.id)
		}
	}
	return kept
}

func TestFiltersAgainstFullSort(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 0))
	c := new(chooser)
	for i := range 3000 {
		logits := make([]float32, 1+r.IntN(300))
		for id := range logits {
			logits[id] = float32(r.NormFloat64() * 3)
			if r.IntN(20) == 0 {
				logits[id] = logits[r.IntN(id+1)] // ties
			}
			if r.IntN(20) == 0 && id > 0 {
				logits[id] = float32(math.Inf(-1)) // masked
			}
		}
		p := sparkd.Sampling{Temperature: 0.2 + 2*r.Float64()}
		if r.IntN(2) == 0 {
			p.TopK = 1 + r.IntN(40)
		}
		if r.IntN(2) == 0 {
			p.TopP = r.Float64()
		}
		if r.IntN(2) == 0 || !filters(&p) {
			p.MinP = 0.01 + 0.9*r.Float64()
		}
		s := naiveSummary(logits, p.Temperature)
		got := c.keep(logits, s, &p, p.Temperature)
		ids, mass := []sparkd.Token{}, 0.0
		for _, x := range got {
			ids, mass = append(ids, x.id), mass+s.prob(x, p.Temperature)
		}
		want := naiveKeep(logits, &p)
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Fatalf("seed %d, case %d: %+v keeps %v, want %v", seed, i, p, ids, want)
		}
		id, logprob := drawFrom(got, s, p.Temperature, r.Float64())
		if want := math.Log(s.prob(candidate{id, logits[id]}, p.Temperature) / mass); !slices.Contains(ids, id) ||
			math.Abs(float64(logprob)-want) > 1e-5 {
			t.Fatalf("seed %d, case %d: drew %d with logprob %v, want %v", seed, i, id, logprob, want)
		}
	}
}

func TestChoice(t *testing.T) {
	b := newToy(1)
	logits := []float32{1, 3, 3, -2, 0}
	for _, x := range []struct {
		name string
		p    sparkd.Sampling
		u    float64
		id   sparkd.Token
		same bool // sampled logprob equals the raw one
		zero bool // the choice was certain
	}{
		{"greedy takes the lowest id of a tie", sparkd.Sampling{Temperature: 0, TopK: 5}, 0.99, 1, false, true},
		{"next to zero is greedy", sparkd.Sampling{Temperature: 1e-300}, 0.99, 1, false, true},
		{"raw, first", sparkd.Sampling{Temperature: 1}, 0, 0, true, false},
		{"raw, last", sparkd.Sampling{Temperature: 1}, 0.999, 4, true, false},
		{"top-k 1", sparkd.Sampling{Temperature: 1, TopK: 1}, 0.99, 1, false, true},
		{"top-p of next to nothing", sparkd.Sampling{Temperature: 2, TopP: 1e-9}, 0.99, 1, false, true},
		{"top-k 2 draws the worse first", sparkd.Sampling{Temperature: 1, TopK: 2}, 0.4, 2, false, false},
		{"top-k 2 draws the better last", sparkd.Sampling{Temperature: 1, TopK: 2}, 0.6, 1, false, false},
		{"min-p 1 keeps the ties of the best", sparkd.Sampling{Temperature: 1, MinP: 1}, 0.6, 2, false, false},
	} {
		s := naiveSummary(logits, x.p.Temperature)
		got := new(chooser).choose(b, logits, s, &x.p, x.u)
		raw := float64(logits[got.id]) - s.logZ
		if got.id != x.id || math.Abs(float64(got.logprob)-raw) > 1e-6 || got.margin != 0 ||
			(got.sampled == got.logprob) != x.same || (got.sampled == 0) != x.zero ||
			math.Abs(float64(got.entropy)-s.entropy) > 1e-6 {
			t.Errorf("%s: %+v", x.name, got)
		}
	}
}

// TestFrequencies draws often and compares with the distribution (χ², 9 degrees of
// freedom, p = 0.001: 27.9).
func TestFrequencies(t *testing.T) {
	const n, seed = 50_000, 5
	b := newToy(1)
	logits := []float32{0, 1, 2, -1, 0.5, 1.5, -0.5, 0.2, 0.9, 1.1}
	for _, p := range []sparkd.Sampling{{Temperature: 1}, {Temperature: 0.7}, {Temperature: 1.3, TopK: 10},
		{Temperature: 1, MinP: 0.001}, {Temperature: 2, TopP: 0.9999}} {
		s := naiveSummary(logits, p.Temperature)
		c, count := new(chooser), make([]float64, len(logits))
		for i := range n {
			count[c.choose(b, logits, s, &p, uniform(seed, i)).id]++
		}
		chi := 0.0
		for id, x := range logits {
			want := n * s.prob(candidate{int32(id), x}, p.Temperature)
			chi += (count[id] - want) * (count[id] - want) / want
		}
		if chi > 27.9 {
			t.Errorf("%+v: χ² = %.1f, counts %v", p, chi, count)
		}
	}
}

func TestUniform(t *testing.T) {
	sum, low, high := 0.0, 1.0, 0.0
	for i := range 10_000 {
		u := uniform(3, i)
		sum, low, high = sum+u, min(low, u), max(high, u)
	}
	if low < 0 || high >= 1 || low > 0.001 || high < 0.999 || math.Abs(sum/10_000-0.5) > 0.01 {
		t.Errorf("min %v, max %v, mean %v", low, high, sum/10_000)
	}
	if uniform(3, 0) == uniform(4, 0) || uniform(3, 0) == uniform(3, 1) {
		t.Error("neighbours are equal")
	}
}

func BenchmarkChoose(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	logits := make([]float32, 49152)
	for i := range logits {
		logits[i] = float32(r.NormFloat64() * 2.5)
		if i%1000 == 0 {
			logits[i] += 12 // a few dozen likely tokens over a long tail
		}
	}
	for name, p := range map[string]sparkd.Sampling{
		"top_k=40": {Temperature: 0.8, TopK: 40}, "top_p=0.95": {Temperature: 0.8, TopP: 0.95},
		"min_p=0.05": {Temperature: 0.8, MinP: 0.05}, "all": {Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05},
	} {
		s := naiveSummary(logits, p.Temperature)
		b.Run(name, func(b *testing.B) {
			c := new(chooser)
			for i := 0; b.Loop(); i++ {
				c.choose(nil, logits, s, &p, uniform(1, i))
			}
		})
	}
}
