// Package oneline keeps a line of JSON one line for every reader. JSON escapes what is below U+0020; beside that
// U+0085, U+2028 and U+2029 end a line for Python's splitlines and its like.
package oneline

import (
	"bytes"
	"encoding/json"
	"io"
)

// breaks are the characters that end a line and need no escape in JSON, where they can only stand in strings.
var breaks = []struct{ char, escape []byte }{
	{[]byte("\u0085"), []byte(`\u0085`)},
	{[]byte("\u2028"), []byte(`\u2028`)},
	{[]byte("\u2029"), []byte(`\u2029`)},
}

// Escape escapes line ends in the JSON that b holds from a place on; where there are none it is b.
func Escape(b []byte, from int) []byte {
	for _, k := range breaks {
		if bytes.Contains(b[from:], k.char) {
			b = append(b[:from:from], bytes.ReplaceAll(b[from:], k.char, k.escape)...)
		}
	}
	return b
}

// NewEncoder returns an encoder of lines of JSON, in which <, > and & stand as they are.
func NewEncoder(w io.Writer) *json.Encoder {
	e := json.NewEncoder(Writer(w))
	e.SetEscapeHTML(false)
	return e
}

// Writer escapes line ends in JSON on its way to w. Each Write has whole characters.
func Writer(w io.Writer) io.Writer { return writer{w} }

type writer struct{ io.Writer }

func (w writer) Write(b []byte) (int, error) {
	escaped := Escape(b, 0)
	n, err := w.Writer.Write(escaped)
	if n == len(escaped) {
		n = len(b)
	}
	return n, err
}
