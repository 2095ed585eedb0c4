package advantage

import (
	"math"

	"sparkd"
)

// contrast is how a number becomes an advantage beside its peers: (x − mean) / (std + ε).
type contrast struct {
	std     string // of Options; "" divides by nothing
	epsilon float64
	raw     bool // a number without peers has mean 0 and deviation 1, as in verl's code; otherwise it is its own mean
}

func (g *group) contrast(raw bool) contrast { return contrast{g.Std, g.Epsilon, raw} }

// of returns the advantage of every x among those with its key, which is below keys; without keys all are peers.
func (c contrast) of(x []sparkd.Amount, key []int, keys int) []sparkd.Amount {
	out := make([]sparkd.Amount, len(x))
	if key == nil {
		if len(x) > 0 {
			c.among(x, numbered(len(x)), out)
		}
		return out
	}
	order, start := grouped(key, keys)
	for k := range keys {
		if peers := order[start[k]:start[k+1]]; len(peers) > 0 {
			c.among(x, peers, out)
		}
	}
	return out
}

// among fills in the advantages of peers, which are places of x. It works on numbers that a power of two brings near
// to 1, so that no size of rewards is too large or too small for squares.
func (c contrast) among(x []sparkd.Amount, peers []int, out []sparkd.Amount) {
	n, largest := len(peers), 0.0
	for _, i := range peers {
		largest = max(largest, math.Abs(x[i].Value))
	}
	unit := inverse(largest)
	for _, i := range peers {
		out[i] = x[i].Times(unit)
	}
	mean := sparkd.Mean(n, func(i int) sparkd.Amount { return out[peers[i]] })
	if n == 1 && c.raw {
		mean = sparkd.Amount{}
	}
	for _, i := range peers {
		out[i] = out[i].Minus(mean)
	}
	divisor := c.deviation(out, peers, unit)
	for _, i := range peers {
		if d := out[i]; d.Value != 0 {
			out[i] = sparkd.Amount{Value: d.Value / divisor, Doubt: d.Doubt / divisor}
		}
	}
}

// deviation is what distances from their mean, in units, are divided by.
func (c contrast) deviation(distances []sparkd.Amount, peers []int, unit float64) float64 {
	n := float64(len(peers))
	switch {
	case c.std == "":
		return unit
	case n < 2:
		return unit * (1 + c.epsilon)
	case c.std == "unbiased":
		n--
	}
	var squares sparkd.Sum
	for _, i := range peers {
		squares.Add(distances[i].Value * distances[i].Value)
	}
	return math.Sqrt(squares.Over(n)) + c.epsilon*unit
}

// inverse is a power of two that brings x near to 1: what is multiplied by it loses no digit.
func inverse(x float64) float64 {
	_, exponent := math.Frexp(x)
	return math.Ldexp(1, -min(max(exponent, -1000), 1000))
}

// numbered are the places of a list of n.
func numbered(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// grouped lists the places of key by what is there: those of k are order[start[k]:start[k+1]], in their order.
func grouped(key []int, keys int) (order, start []int) {
	order, start = make([]int, len(key)), make([]int, keys+1)
	for _, k := range key {
		start[k+1]++
	}
	for k := range keys {
		start[k+1] += start[k]
	}
	at := append([]int(nil), start[:keys]...)
	for i, k := range key {
		order[at[k]] = i
		at[k]++
	}
	return order, start
}
