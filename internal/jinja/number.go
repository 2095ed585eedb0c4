package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits bounds integers, as Python bounds those that it prints.
const maxDigits = 4300

// normal returns an integer as an int where it fits.
func normal(z *big.Int) any {
	if z.IsInt64() {
		return int(z.Int64())
	}
	if z.BitLen() > maxDigits*10/3 {
		fail("an integer of over %d digits", maxDigits)
	}
	return z
}

// asBig returns an integer, which bools are too.
func asBig(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case int:
		return big.NewInt(int64(v)), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

// asInt returns an integer that is an index, a count or a width. What is beyond the range is its end.
func asInt(v any) (int, bool) {
	z, ok := asBig(v)
	if !ok {
		return 0, false
	}
	if !z.IsInt64() {
		return math.MaxInt * z.Sign(), true
	}
	return int(z.Int64()), true
}

// integer is an argument that must be one.
func integer(v any) int {
	n, ok := asInt(v)
	if !ok {
		refuseUndefined(v)
		fail("'%s' object cannot be interpreted as an integer", typeName(v))
	}
	return n
}

func asFloat(v any) (float64, bool) {
	if f, ok := v.(float64); ok {
		return f, true
	}
	z, ok := asBig(v)
	if !ok {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(z).Float64()
	if math.IsInf(f, 0) {
		fail("an integer is too large for a float")
	}
	return f, true
}

func isNumber(v any) bool {
	_, integer := asBig(v)
	_, float := v.(float64)
	return integer || float
}

// arithmetic computes with two numbers.
func arithmetic(op string, a, b any) any {
	x, xok := asBig(a)
	y, yok := asBig(b)
	if xok && yok && op != "/" && (op != "**" || y.Sign() >= 0) {
		return integers(op, x, y)
	}
	if xok && yok && op == "/" {
		if y.Sign() == 0 {
			fail("division by zero")
		}
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if f == 0 && y.Sign() < 0 && x.Sign() == 0 {
			return math.Copysign(0, -1)
		}
		return finite(f)
	}
	f, _ := asFloat(a)
	g, _ := asFloat(b)
	return floats(op, f, g)
}

func integers(op string, x, y *big.Int) any {
	z := new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "**":
		if int64(x.BitLen())*y.Int64() > maxDigits*4 || !y.IsInt64() {
			if x.BitLen() > 1 { // not 0, 1 or -1
				fail("an integer of over %d digits", maxDigits)
			}
			y = new(big.Int).And(y, big.NewInt(1))
			y.Add(y, big.NewInt(2)) // as odd as it was
		}
		z.Exp(x, y, nil)
	default:
		if y.Sign() == 0 {
			fail("integer division or modulo by zero")
		}
		quotient, rest := z.QuoRem(x, y, new(big.Int))
		if rest.Sign() != 0 && rest.Sign() != y.Sign() {
			quotient.Sub(quotient, big.NewInt(1))
			rest.Add(rest, y)
		}
		if op == "%" {
			z = rest
		}
	}
	return normal(z)
}

func floats(op string, f, g float64) any {
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "**":
		return power(f, g)
	}
	if g == 0 {
		fail("float division by zero")
	}
	if op == "/" {
		return f / g
	}
	quotient, rest := divmod(f, g)
	if op == "%" {
		return rest
	}
	return quotient
}

func power(f, g float64) any {
	switch {
	case f == 0 && g < 0:
		fail("0.0 cannot be raised to a negative power")
	case f < 0 && g != math.Trunc(g) && !math.IsInf(f, 0) && !math.IsInf(g, 0):
		fail("a complex number")
	}
	p := math.Pow(f, g)
	if n := int(g); float64(n) == g && n > -1024 && n < 1024 && p != 0 && !math.IsInf(p, 0) && f != 0 {
		p = exactPower(f, n)
	}
	if math.IsInf(p, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
		fail("numerical result out of range")
	}
	return p
}

// exactPower rounds once, which Go's Pow does not.
func exactPower(f float64, n int) float64 {
	p := big.NewFloat(1).SetPrec(256)
	x := new(big.Float).SetPrec(256).SetFloat64(f)
	for range max(n, -n) {
		p.Mul(p, x)
	}
	if n < 0 {
		p.Quo(big.NewFloat(1), p)
	}
	result, _ := p.Float64()
	return result
}

func finite(f float64) float64 {
	if math.IsInf(f, 0) {
		fail("the result is too large for a float")
	}
	return f
}

// divmod is CPython's for floats.
func divmod(f, g float64) (quotient, rest float64) {
	rest = math.Mod(f, g)
	quotient = (f - rest) / g
	if rest == 0 {
		rest = math.Copysign(0, g)
	} else if (g < 0) != (rest < 0) {
		rest += g
		quotient--
	}
	if quotient == 0 {
		return math.Copysign(0, f/g), rest
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor, rest
}

// floatText is Python's repr of a float.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	scientific := strconv.FormatFloat(f, 'e', -1, 64)
	exponent, _ := strconv.Atoi(scientific[strings.IndexByte(scientific, 'e')+1:])
	if exponent < -4 || exponent >= 16 {
		return scientific
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// parseInt reads an integer as Python's int() does.
func parseInt(s string, base int) (any, bool) {
	s = strings.TrimFunc(s, isSpace)
	if len(s) > maxDigits {
		return nil, false
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || digits[0] == '_' || digits[len(digits)-1] == '_' ||
		strings.Contains(digits, "__") || base != 0 && (base < 2 || base > 36) {
		return nil, false
	}
	if prefix, ok := map[int]string{2: "0b", 8: "0o", 16: "0x"}[base]; ok && len(digits) > 2 &&
		strings.EqualFold(digits[:2], prefix) {
		digits = strings.TrimPrefix(digits[2:], "_")
	}
	z, ok := new(big.Int).SetString(strings.ReplaceAll(ascii(digits), "_", ""), base)
	if !ok {
		return nil, false
	}
	if s[0] == '-' {
		z.Neg(z)
	}
	return normal(z), true
}

// ascii writes decimal digits of other scripts as those of ASCII.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if d := decimal(r); d >= 0 {
			return '0' + rune(d)
		}
		return r
	}, s)
}

// parseFloat reads a float as Python's float() does.
func parseFloat(s string) (float64, bool) {
	s = ascii(strings.TrimFunc(s, isSpace))
	lower := strings.ToLower(strings.TrimLeft(s, "+-"))
	if strings.HasPrefix(lower, "0x") || strings.HasPrefix(lower, "_") || strings.HasSuffix(lower, "_") ||
		strings.Contains(lower, "__") {
		return 0, false
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return f, err == nil || math.IsInf(f, 0)
}
