package sparkd

import (
	"math"
	"math/big"
	"slices"
)

// Sum adds numbers without rounding (Shewchuk 1997): what it says of them is rounded once, and does not depend on
// their order. The zero value is an empty sum.
type Sum struct {
	parts []float64  // whose digits do not overlap, the small ones first; together the sum
	wide  *big.Float // the sum, once a number came so near to the end of the range that parts could leave it
	odd   float64    // sum of what is no finite number
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
	for _, part := range s.parts {
		sum := x + part
		of := sum - x // what of part is in sum
		if lost := (x - (sum - of)) + (part - of); lost != 0 {
			s.parts[n] = lost
			n++
		}
		x = sum
	}
	if s.parts = s.parts[:n]; x != 0 {
		s.parts = append(s.parts, x)
	}
}

func (s *Sum) widen() {
	if s.wide != nil {
		return
	}
	s.wide = new(big.Float).SetPrec(wideBits)
	for _, part := range s.parts {
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
	return rounded(s.parts)
}

// exact reports whether Value is the sum without any rounding, as far as that is known.
func (s *Sum) exact() bool { return s.wide == nil && len(s.parts) < 2 }

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
	if s.odd != 0 || s.wide == nil && len(s.parts) < 2 && n == 1 {
		return q
	}
	if s.wide == nil {
		rest := Sum{parts: slices.Clone(s.parts)} // what v lacks
		rest.add(-v)
		r, more := math.FMA(-q, n, v), rest.Value()
		if left := r + more; len(rest.parts) < 2 && left-r == more && left-more == r {
			return q + left/n
		}
	}
	s.widen()
	q, _ = new(big.Float).SetPrec(wideBits).Quo(s.wide, big.NewFloat(n)).Float64()
	return q + 0
}
