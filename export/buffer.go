package export

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/encoding/json"

	"sparkd"
)

// buffer is JSON under construction: all lines of a group. The first problem with a value
// is kept in err; the lines will not be written.
type buffer struct {
	b        []byte
	o        *Options
	infinite bool // a number was not finite
	err      error
}

// endList ends a list, whose items are each followed by a comma.
func (out *buffer) endList() {
	if last := len(out.b) - 1; out.b[last] == ',' {
		out.b[last] = ']'
	} else {
		out.b = append(out.b, ']')
	}
}

func (out *buffer) null() { out.b = append(out.b, "null"...) }

func (out *buffer) fail(format string, args ...any) {
	if out.err == nil {
		out.err = sparkd.Errorf(sparkd.CodeDamaged, format, args...)
	}
}

// number appends a number that has a fraction or an exponent, so that readers which guess
// a column's type from its first values take it for a float.
func (out *buffer) number(x float64) {
	out.infinite = out.infinite || math.IsNaN(x) || math.IsInf(x, 0)
	n := len(out.b)
	out.b = strconv.AppendFloat(out.b, x, 'g', -1, 64)
	for _, c := range out.b[n:] {
		if c == '.' || c == 'e' {
			return
		}
	}
	out.b = append(out.b, ".0"...)
}

// appendString appends a JSON string, as encoding/json writes it without HTML's escapes.
// Most are short and need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return json.AppendEscape(b, s, 0)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// filler is what stands for tokens that have no value of their own.
type filler struct {
	size int    // of an item with its comma
	run  string // of fillerRun items
}

const fillerRun = 256

func newFiller(item string) filler {
	return filler{len(item) + 1, strings.Repeat(item+",", fillerRun)}
}

var zeros, allOnes = newFiller("0"), newFiller("1")

// append appends n items.
func (f filler) append(b []byte, n int) []byte {
	for ; n > fillerRun; n -= fillerRun {
		b = append(b, f.run...)
	}
	return append(b, f.run[:n*f.size]...)
}

// repeatTail appends n times more what stands in b behind from.
func repeatTail(b []byte, from, n int) []byte {
	size := len(b) - from
	end := len(b) + n*size
	b = slices.Grow(b, n*size)[:end]
	for done := from + size; done < end; {
		done += copy(b[done:end], b[from:done])
	}
	return b
}
