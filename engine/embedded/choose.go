package embedded

import (
	"math"

	"sparkd"
)

// coldest is the temperature below which sampling is greedy: there e^(-Δ/T) of any
// visible difference Δ of two logits is zero, and 1/T may overflow.
const coldest = 1e-6

// choice is a sampled token and what the distribution said about it.
type choice struct {
	id      sparkd.Token
	logprob float32 // raw
	sampled float32 // logprob in the distribution drawn from
	entropy float32 // nats, raw
	margin  float32 // raw logprob of the best minus the second-best token
}

// chooser draws tokens. Its scratch is reused, so each goroutine has its own.
type chooser struct{ scratch []candidate }

// candidate is a token that the filters may keep.
type candidate struct {
	id    sparkd.Token
	logit float32
}

// choose draws a token with the uniform number u in [0, 1): a fixed function of logits,
// p and u. Greedy choice takes the lowest id among equals.
func (c *chooser) choose(b backend, logits []float32, s summary, p *sparkd.Sampling, u float64) choice {
	out := choice{id: s.bestID, entropy: float32(s.entropy), margin: s.best - s.second}
	switch t := float64(temperature(p)); {
	case t == 0: // all mass on the best: logprob 0
	case filters(p):
		out.id, out.sampled = drawFrom(c.keep(logits, s, p, t), s, t, u)
	default:
		out.id = b.draw(logits, float32(t), s, u)
		out.sampled = float32(float64(logits[out.id])/t - s.logZT)
	}
	out.logprob = float32(float64(logits[out.id]) - s.logZ)
	return out
}

// temperature returns p's as the backend takes it: 0 is greedy.
func temperature(p *sparkd.Sampling) float32 {
	if p.Temperature < coldest {
		return 0
	}
	return float32(p.Temperature)
}

func filters(p *sparkd.Sampling) bool { return p.TopK > 0 || p.TopP > 0 && p.TopP < 1 || p.MinP > 0 }

// reshapes reports whether p draws from another distribution than the raw one.
func reshapes(p *sparkd.Sampling) bool { return filters(p) || float32(p.Temperature) != 1 }

// keep returns the tokens that top-k, then top-p (of the mass that top-k left), then min-p keep of the
// distribution at temperature t. Each filter keeps a head of the tokens in order of their logits, so the head is
// taken from a heap, token by token, and the rest of the vocabulary is never sorted.
func (c *chooser) keep(logits []float32, s summary, p *sparkd.Sampling, t float64) []candidate {
	topP := p.TopP > 0 && p.TopP < 1
	heap := c.candidates(logits, floor(s, p, t, len(logits)), p.TopK)
	if p.TopK == 0 && !topP {
		return heap // all at or above the floor of min-p
	}
	heapify(heap, better)
	kept := 0
	for mass := 0.0; kept < len(heap); {
		x := pop(heap[:len(heap)-kept])
		kept++
		if mass += s.prob(x, t); p.TopK == 0 && mass >= p.TopP {
			break
		}
	}
	heap = heap[len(heap)-kept:] // what was popped, the best last
	if topP && p.TopK > 0 {
		heap = head(heap, s, p.TopP, t)
	}
	if p.MinP > 0 {
		for least := minPFloor(s, p, t); float64(heap[0].logit) < least; {
			heap = heap[1:]
		}
	}
	return heap
}

// drawFrom inverts the distribution function of what was kept at u, and returns the token's logprob among it.
func drawFrom(kept []candidate, s summary, t, u float64) (sparkd.Token, float32) {
	mass := 0.0
	for _, x := range kept {
		mass += s.prob(x, t)
	}
	rest, last := u*mass, len(kept)-1
	for i, x := range kept {
		if rest -= s.prob(x, t); rest < 0 {
			last = i
			break
		}
	}
	return kept[last].id, float32(math.Log(s.prob(kept[last], t) / mass))
}

// prob is the probability of x at temperature t, with nothing cut off.
func (s *summary) prob(x candidate, t float64) float64 { return math.Exp(float64(x.logit)/t - s.logZT) }

// head returns the fewest best of kept (best last) that have the share p of its mass.
func head(kept []candidate, s summary, p, t float64) []candidate {
	total, mass := 0.0, 0.0
	for _, x := range kept {
		total += s.prob(x, t)
	}
	for i := len(kept) - 1; i >= 0; i-- {
		if mass += s.prob(kept[i], t); mass >= p*total {
			return kept[i:]
		}
	}
	return kept
}

// floor is a logit below which no token can be kept. Tokens less likely than
// (1-p)/n have less than 1-p of the mass together, so top-p never reaches them.
func floor(s summary, p *sparkd.Sampling, t float64, n int) float64 {
	low := math.Inf(-1)
	topP := p.TopP > 0 && p.TopP < 1
	if p.MinP > 0 && !(topP && p.TopK > 0) { // there top-p wants the mass of all that top-k keeps
		low = minPFloor(s, p, t)
	}
	if topP && p.TopK == 0 {
		const slack = 1e-3 // for rounding
		low = max(low, t*(s.logZT+math.Log((1-p.TopP)/float64(n))-slack))
	}
	return low
}

// minPFloor is the logit of a token that has the share MinP of the best one's probability.
func minPFloor(s summary, p *sparkd.Sampling, t float64) float64 {
	return float64(s.best) + t*math.Log(p.MinP)
}

// candidates returns the tokens whose logit is at least low, and only the k best of
// them where k is not 0: these stand in a heap whose first is the one to go next.
func (c *chooser) candidates(logits []float32, low float64, k int) []candidate {
	out := c.scratch[:0]
	for id, logit := range logits {
		if float64(logit) < low {
			continue
		}
		x := candidate{int32(id), logit}
		switch {
		case k == 0 || len(out) < k:
			if out = append(out, x); len(out) == k {
				heapify(out, worse)
			}
		case better(x, out[0]):
			out[0] = x
			sink(out, 0, worse)
		}
	}
	c.scratch = out
	return out
}

// better orders candidates; the lower id wins among equal logits.
func better(a, b candidate) bool { return a.logit > b.logit || a.logit == b.logit && a.id < b.id }
func worse(a, b candidate) bool  { return better(b, a) }

// heapify makes h a binary heap, in which no element comes before its parent.
func heapify(h []candidate, before func(a, b candidate) bool) {
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i, before)
	}
}

// pop moves the best candidate to the end of h and restores the heap before it.
func pop(h []candidate) candidate {
	last := len(h) - 1
	h[0], h[last] = h[last], h[0]
	sink(h[:last], 0, better)
	return h[last]
}

func sink(h []candidate, i int, before func(a, b candidate) bool) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && before(h[child+1], h[child]) {
			child++
		}
		if !before(h[child], h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

// uniform returns the number in [0, 1) that token index of a sample with this seed is
// drawn with. It depends on nothing else.
func uniform(seed uint64, index int) float64 {
	return float64(sparkd.Mix(seed, uint64(index))>>11) / (1 << 53)
}
