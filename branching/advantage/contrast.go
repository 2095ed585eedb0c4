package advantage

import "math"

// contrast is how a number becomes an advantage beside its peers: (x − mean) / (std + ε).
type contrast struct {
	std     string // of Options; "" divides by nothing
	epsilon float64
	raw     bool // a number without peers has mean 0 and deviation 1, as in verl's code; otherwise it is its own mean
}

func (g *group) contrast(raw bool) contrast { return contrast{g.Std, g.Epsilon, raw} }

// rounding is the relative difference that sums of equal numbers in another order can
// have; no advantage is made of it, even where ε is 0.
const rounding = 1e-12

// peers are the numbers of one key.
type peers struct {
	n                          float64
	first, sum, squares, large float64
	mean, divisor              float64
}

// of returns the advantage of every x among those with its key, which is below keys; without keys all are peers. The
// sum runs over differences to the first number, so that equal numbers differ from their mean by exactly nothing.
func (c contrast) of(x []float64, key []int, keys int) []float64 {
	if key == nil {
		key, keys = make([]int, len(x)), 1
	}
	all := make([]peers, keys)
	for i, v := range x {
		p := &all[key[i]]
		if p.n == 0 {
			p.first = v
		}
		p.n++
		p.sum += v - p.first
		p.large = max(p.large, math.Abs(v))
	}
	for k := range all {
		all[k].mean = all[k].first + all[k].sum/all[k].n
	}
	for i, v := range x {
		p := &all[key[i]]
		p.squares += (v - p.mean) * (v - p.mean)
	}
	for k := range all {
		all[k].divisor = c.divisor(&all[k])
	}
	out := make([]float64, len(x))
	for i, v := range x {
		p := &all[key[i]]
		d := v - p.mean
		if p.n == 1 && c.raw {
			d = v
		}
		if math.Abs(d) > rounding*p.large || math.IsNaN(d) {
			out[i] = d / p.divisor
		}
	}
	return out
}

// divisor is the standard deviation plus ε.
func (c contrast) divisor(p *peers) float64 {
	switch {
	case c.std == "":
		return 1
	case p.n < 2:
		return 1 + c.epsilon
	case c.std == "unbiased":
		return math.Sqrt(p.squares/(p.n-1)) + c.epsilon
	}
	return math.Sqrt(p.squares/p.n) + c.epsilon
}
