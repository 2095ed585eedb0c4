package sparkd

import "math"

// Amount is a number that rewards were made into, and the most that rounding may have moved it by: rewards are
// mostly decimals, which a float64 holds up to half a unit of its last digit. Amounts that differ by no more than
// that are equal, so that nothing is learned from (0.1, 0.2) being a little more than 0.3.
type Amount struct{ Value, Doubt float64 }

// halfUnit is the most that rounding moves a number by, as a share of it.
const halfUnit = 0x1p-53

// Given is a number as it was written down.
func Given(x float64) Amount { return Amount{x, halfUnit * math.Abs(x)} }

// Plus returns a + b.
func (a Amount) Plus(b Amount) Amount {
	sum := a.Value + b.Value
	return computed(sum, a.Doubt+b.Doubt, sum-a.Value == b.Value && sum-b.Value == a.Value)
}

// Times returns a · x.
func (a Amount) Times(x float64) Amount {
	product := a.Value * x
	return computed(product, a.Doubt*math.Abs(x), math.FMA(a.Value, x, -product) == 0)
}

// Minus returns a − b, and exactly 0 where they are equal.
func (a Amount) Minus(b Amount) Amount {
	d := a.Plus(Amount{-b.Value, b.Doubt})
	if math.Abs(d.Value) <= d.Doubt && Finite(d.Value) {
		d.Value = 0
	}
	return d
}

// Compare returns −1, 0 or 1 where a is less than, equal to or more than b.
func (a Amount) Compare(b Amount) int {
	switch d := a.Minus(b).Value; {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// computed is the result of an operation on numbers in doubt, which was rounded unless it is exact.
func computed(value, doubt float64, exact bool) Amount {
	if !exact {
		doubt += halfUnit * math.Abs(value)
	}
	return Amount{value, doubt}
}

// Mean returns the mean of n amounts, rounded once.
func Mean(n int, of func(i int) Amount) Amount {
	if n == 1 {
		return of(0)
	}
	var sum Sum
	doubt := 0.0
	for i := range n {
		a := of(i)
		sum.Add(a.Value)
		doubt = max(doubt, a.Doubt)
	}
	return computed(sum.Over(float64(n)), doubt, false)
}

// Earned returns the sum of the rewards on the path to id. A reward and its opposite are nothing together, doubt
// included.
func (t *Tree) Earned(id int) Amount {
	var sum Sum
	var gains, losses bool
	for at := id; at >= 0; at = t.Nodes[at].Parent {
		r := t.Nodes[at].Reward
		sum.Add(r)
		gains, losses = gains || r > 0, losses || r < 0
	}
	value := sum.Value()
	if !gains || !losses {
		return computed(value, halfUnit*math.Abs(value), sum.exact())
	}
	pairs := map[float64]float64{} // how many more gains than losses there are, by size
	for at := id; at >= 0; at = t.Nodes[at].Parent {
		if r := t.Nodes[at].Reward; r != 0 {
			pairs[math.Abs(r)] += math.Copysign(1, r)
		}
	}
	var doubt Sum
	for of, n := range pairs {
		doubt.Add(halfUnit * of * math.Abs(n))
	}
	return computed(value, doubt.Value(), sum.exact())
}

// Return returns the sum of the rewards on the path to id, rounded once.
func (t *Tree) Return(id int) float64 {
	var sum Sum
	for ; id >= 0; id = t.Nodes[id].Parent {
		sum.Add(t.Nodes[id].Reward)
	}
	return sum.Value()
}
