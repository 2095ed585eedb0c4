package export

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"sparkd"
)

// quads holds the four decimal digits of 0 to 9999, the first one in the lowest byte.
var quads = func() (q [10000]uint32) {
	for i := range q {
		n := uint32(i)
		q[i] = 0x30303030 | n/1000 | n/100%10<<8 | n/10%10<<16 | n%10<<24
	}
	return q
}()

// appendTokens appends ids in decimal, each followed by a comma.
func appendTokens(b []byte, ids []sparkd.Token) []byte {
	const widest = len("-2147483648,")
	n := len(b)
	b = slices.Grow(b, widest*len(ids))
	b = b[:n+widest*len(ids)]
	for _, id := range ids {
		switch u := uint32(id); {
		case u < 1e4:
			n += putQuad(b[n:], u)
		case u < 1e8:
			n += putQuad(b[n:], u/1e4)
			binary.LittleEndian.PutUint32(b[n:], quads[u%1e4])
			n += 4
		default:
			n = len(strconv.AppendInt(b[:n], int64(id), 10))
		}
		b[n] = ','
		n++
	}
	return b[:n]
}

// putQuad writes u < 10⁴ without leading zeros and returns its length; it may write up to four bytes.
func putQuad(b []byte, u uint32) int {
	q := quads[u]
	zeros := bits.TrailingZeros32((q^0x30303030)|1<<24) / 8
	binary.LittleEndian.PutUint32(b, q>>(8*zeros))
	return 4 - zeros
}

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// appendFloats appends finite numbers, each followed by a comma.
func appendFloats(b []byte, values []float32) []byte {
	n := len(b)
	b = slices.Grow(b, widestFloat*len(values))
	b = b[:n+widestFloat*len(values)]
	for _, x := range values {
		n += putFloat32(b[n:], x)
		b[n] = ','
		n++
	}
	return b[:n]
}

// widestFloat has room for what putFloat32 may touch, and a comma.
const widestFloat = 24

// putFloat32 writes a finite x as a JSON number of at most 9 significant digits that reads
// back as exactly x, and as a float: with a fraction or an exponent. It returns the length.
//
// x is scaled to an integer of 9 digits, which is always enough for a float32; 7 or 8
// digits are taken where they stay well within half the distance to the neighbours of
// x. The arithmetic is in float64, whose error is far below the margin left.
func putFloat32(out []byte, x float32) int {
	u := math.Float32bits(x)
	d := math.Abs(float64(x))
	if d == 0 {
		return copy(out, "-0.0"[1-u>>31:])
	}
	if !(d >= 1e-9 && d < 1e8) { // tiny and huge numbers are rare, and have an exponent
		return len(strconv.AppendFloat(out[:0], float64(x), 'g', -1, 32))
	}
	e2 := int(u>>23&0xff) - 127
	e10 := e2 * 1233 >> 12 // ⌊log10 2^e2⌋; x < 2^(e2+1) may reach one decade more
	if scaled := d * pow10[8-e10]; scaled >= 1e9 {
		e10++
	}
	scaled := d * pow10[8-e10]
	n := uint64(scaled + .5)
	margin := .49 * pow10[8-e10] * math.Float64frombits(uint64(e2-23+1023)<<52)
	if u&0x7fffff == 0 {
		margin /= 2 // below a power of two the neighbour is only half as far
	}
	if short := (n + 50) / 100 * 100; math.Abs(float64(short)-scaled) < margin {
		n = short
	} else if short := (n + 5) / 10 * 10; math.Abs(float64(short)-scaled) < margin {
		n = short
	}
	if n >= 1e9 { // rounded up to the next decade
		n, e10 = n/10, e10+1
	}
	sign := int(u >> 31)
	out[0] = '-'
	return sign + putDecimal(out[sign:], uint32(n), e10)
}

// putDecimal writes n·10^(e10−8), where n has 9 digits and e10 is −9 to 8, and returns
// its length. Digits are put down in whole words and cut to length afterwards.
func putDecimal(out []byte, n uint32, e10 int) int {
	const noughts = 0x30303030
	high, low := quads[n/1e4%1e4], quads[n%1e4]
	k := 9 - bits.LeadingZeros32(low^noughts)/8 // digits without trailing zeros
	if low == noughts {
		k = 5 - bits.LeadingZeros32(high^noughts)/8
	}
	point := 1 // digits before the decimal point
	at := 1    // where the digits begin: one behind, to let those pass in front of the point
	switch {
	case e10 >= 0:
		point += e10
	case e10 >= -5:
		binary.LittleEndian.PutUint64(out, 0x3030303030302e30) // "0.000000"
		at = 1 - e10
	}
	out[at] = byte('0' + n/1e8)
	binary.LittleEndian.PutUint32(out[at+1:], high)
	binary.LittleEndian.PutUint32(out[at+5:], low)
	if -5 <= e10 && e10 < 0 {
		return at + k
	}
	for i := range point {
		out[i] = out[i+1]
	}
	length := point
	switch {
	case k > point:
		out[point] = '.'
		length = k + 1
	case e10 >= 0:
		out[point], out[point+1] = '.', '0'
		length = point + 2
	}
	if e10 < 0 {
		out[length], out[length+1], out[length+2] = 'e', '-', byte('0'-e10)
		length += 3
	}
	return length
}

// isFinite reports whether no value is NaN or infinite.
func isFinite(values []float32) bool {
	for _, v := range values {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return false
		}
	}
	return true
}
