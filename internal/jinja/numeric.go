package jinja

import (
	"math"
	"math/big"
)

// float is Python's float().
func (m *machine) float(v any) (float64, bool) {
	refuseUndefined(v)
	if s, ok := asText(v); ok {
		m.fill(len(s))
		return parseFloat(s)
	}
	return asFloat(v)
}

func toFloat(m *machine, a []any) any {
	if f, ok := m.float(a[0]); ok {
		return f
	}
	if a[1] == nil {
		return 0.0
	}
	return a[1]
}

func toInt(m *machine, a []any) any {
	refuseUndefined(a[0])
	if s, ok := asText(a[0]); ok {
		m.fill(len(s))
		if n, ok := parseInt(s, integer(a[2])); ok {
			return n
		}
	} else if z, ok := asBig(a[0]); ok {
		return normal(z)
	} else if f, ok := a[0].(float64); ok && math.IsInf(f, 0) {
		fail("cannot convert float infinity to integer")
	}
	f, ok := m.float(a[0])
	if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
		return a[1]
	}
	return whole(f)
}

// whole is a float without its fraction.
func whole(f float64) any {
	z, _ := big.NewFloat(f).Int(nil)
	return normal(z)
}

func round(m *machine, a []any) any {
	digits := integer(a[1])
	switch method := m.str(a[2]); method {
	case "common":
		return nearest(a[0], digits)
	case "ceil", "floor":
		scale := m.compute("**", 10, digits)
		v := m.compute("*", a[0], scale)
		if f, ok := v.(float64); ok {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				fail("cannot round %s", floatText(f))
			}
			if method == "ceil" {
				f = math.Ceil(f)
			}
			v = whole(math.Floor(f))
		}
		return m.compute("/", v, scale)
	}
	fail("method must be common, ceil or floor")
	return nil
}

// nearest rounds to digits behind the point, halves to the even side.
func nearest(v any, digits int) any {
	digits = min(max(digits, -maxDigits), maxDigits)
	exact := new(big.Rat)
	f, isFloat := v.(float64)
	switch z, ok := asBig(v); {
	case ok && digits >= 0:
		return normal(z)
	case ok:
		exact.SetInt(z)
	case !isFloat:
		refuseUndefined(v)
		fail("type %s doesn't define __round__ method", typeName(v))
	case math.IsNaN(f) || math.IsInf(f, 0):
		return f
	default:
		exact.SetFloat64(f)
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(digits, -digits))), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	rounded := new(big.Rat).SetInt(halfEven(exact.Mul(exact, scale)))
	rounded.Quo(rounded, scale)
	if !isFloat {
		return normal(rounded.Num())
	}
	g, _ := rounded.Float64()
	return math.Copysign(finite(g), f)
}

// halfEven is the integer next to r.
func halfEven(r *big.Rat) *big.Int {
	two := big.NewInt(2)
	double := new(big.Int).Mul(r.Num(), two)
	double.Add(double, r.Denom())
	quotient, rest := new(big.Int).DivMod(double, new(big.Int).Mul(r.Denom(), two), new(big.Int))
	if rest.Sign() == 0 && quotient.Bit(0) == 1 { // a half, up to an odd number
		quotient.Sub(quotient, big.NewInt(1))
	}
	return quotient
}

func sum(m *machine, a []any) any {
	get := m.getter(a[1], nil)
	total := a[2]
	if _, ok := asText(total); ok {
		fail("sum() can't sum strings")
	}
	for _, item := range m.items(a[0]) {
		if a[1] != nil {
			item = get(item)
		}
		total = m.compute("+", total, item)
	}
	return total
}

// extreme is min or max: the first item that all others stand in the relation to.
func extreme(relation string) run {
	return func(m *machine, a []any) any {
		items := m.items(a[0])
		if len(items) == 0 {
			return &undefined{reason: "No aggregated item, sequence was empty."}
		}
		key := m.caseless(m.getter(a[2], nil), a[1])
		best, bestKey := items[0], key(items[0])
		for _, item := range items[1:] {
			if k := key(item); m.ordered(relation, k, bestKey) {
				best, bestKey = item, k
			}
		}
		return best
	}
}
