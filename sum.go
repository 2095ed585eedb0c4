package sparkd

import (
	"math"
	"math/big"
)

// Sum adds numbers without rounding (Shewchuk 1997): what it says of them is rounded once, and does not depend on
// their order. The zero value is an empty sum.
type Sum struct {
	part [6]float64 // the first n add up to the sum; their digits do not overlap, the small ones come first
	n    int
	wide *big.Float // the sum, once it needs more parts, or came near to the end of the range
	odd  float64    // sum of what is no finite number
}

const (
	wideFrom = 0x1p960 // 2⁶³ numbers below it do not add up to more than a float64 holds
	wideBits = 2304    // of a sum of any numbers, from 2⁻¹⁰⁷⁴ to 2⁶³ times the largest
)

// Add adds x. A zero has no sign here.
func (s *Sum) Add(x float64) {
	switch {
	case x == 0:
	case !Finite(x):
		s.odd += x
	case s.wide != nil || math.Abs(x) >= wideFrom:
		s.widen()
		s.wide.Add(s.wide, big.NewFloat(x))
	default:
		s.add(x)
	}
}

func (s *Sum) add(x float64) {
	n := 0
	for _, part := range s.part[:s.n] {
		sum := x + part
		of := sum - x // what of part is in sum
		if lost := (x - (sum - of)) + (part - of); lost != 0 {
			s.part[n] = lost
			n++
		}
		x = sum
	}
	s.n = n
	switch {
	case x == 0:
	case n == len(s.part):
		s.widen()
		s.wide.Add(s.wide, big.NewFloat(x))
	default:
		s.part[n] = x
		s.n++
	}
}

func (s *Sum) widen() {
	if s.wide != nil {
		return
	}
	s.wide = new(big.Float).SetPrec(wideBits)
	for _, part := range s.part[:s.n] {
		s.wide.Add(s.wide, big.NewFloat(part))
	}
}

// Value returns the float64 that is nearest to the sum: infinite where that is beyond the largest.
func (s *Sum) Value() float64 {
	if s.odd != 0 {
		return s.odd
	}
	if s.wide != nil {
		v, _ := s.wide.Float64()
		return v + 0 // no negative zero
	}
	return rounded(s.part[:s.n])
}

// exact reports whether Value is the sum without any rounding, as far as that is known.
func (s *Sum) exact() bool { return s.wide == nil && s.n < 2 }

// rounded adds parts from the largest on, until one has no room in the sum any more.
func rounded(parts []float64) float64 {
	sum, lost := 0.0, 0.0
	i := len(parts)
	for i > 0 && lost == 0 {
		i--
		before := sum
		sum = before + parts[i]
		lost = parts[i] - (sum - before)
	}
	// Halfway between two numbers it is the parts below that decide.
	if i > 0 && lost != 0 && (lost < 0) == (parts[i-1] < 0) {
		if next := sum + 2*lost; next-sum == 2*lost {
			return next
		}
	}
	return sum
}

// Over returns the sum divided by n, rounded once: a mean. That of n equal numbers is the number itself.
func (s *Sum) Over(n float64) float64 {
	v := s.Value()
	q := v / n
	if s.odd != 0 || n == 1 && s.exact() {
		return q
	}
	if s.wide == nil {
		rest := *s // what v lacks
		rest.add(-v)
		r, more := math.FMA(-q, n, v), rest.Value()
		if left := r + more; rest.exact() && left-r == more && left-more == r {
			return q + left/n
		}
	}
	s.widen()
	q, _ = new(big.Float).SetPrec(wideBits).Quo(s.wide, big.NewFloat(n)).Float64()
	return q + 0
}
