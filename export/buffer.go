package export

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/segmentio/encoding/json"

	"sparkd"
	"sparkd/internal/oneline"
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
	out.infinite = out.infinite || !sparkd.Finite(x)
	n := len(out.b)
	if out.b = strconv.AppendFloat(out.b, x, 'g', -1, 64); !bytes.ContainsAny(out.b[n:], ".e") {
		out.b = append(out.b, ".0"...)
	}
}

// appendString appends a JSON string, as encoding/json writes it without HTML's escapes, and without what some
// reader takes for the end of a line. Most are short and need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return oneline.Escape(json.AppendEscape(b, s, 0), len(b))
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// repeat appends an item n times, of what is there already twice as much each time.
func repeat(b []byte, item string, n int) []byte {
	if n == 0 {
		return b
	}
	begin, size := len(b), n*len(item)
	b = append(slices.Grow(b, size), item...)
	for done := len(item); done < size; done = len(b) - begin {
		b = append(b, b[begin:begin+min(done, size-done)]...)
	}
	return b
}
