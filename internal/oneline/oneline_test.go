package oneline

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// ends are what Python's splitlines, Java, Node's readline or Unicode end a line with.
const ends = "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029"

func FuzzWriter(f *testing.F) {
	f.Add("a mug")
	f.Add(ends)
	f.Add("\u0085\u0085 \u00c2\x85 \xc2\x85 é\u2029")
	f.Fuzz(func(t *testing.T, s string) {
		var out bytes.Buffer
		e := json.NewEncoder(Writer(&out))
		e.SetEscapeHTML(false)
		if err := e.Encode(map[string]string{s: s}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.ContainsAny(line, ends) {
			t.Errorf("%q is written %s", s, line)
		}
		var back, want map[string]string
		plain, _ := json.Marshal(map[string]string{s: s})
		if json.Unmarshal(plain, &want) != nil || json.Unmarshal([]byte(line), &back) != nil ||
			len(back) != 1 || back[strings.ToValidUTF8(s, "\ufffd")] != want[strings.ToValidUTF8(s, "\ufffd")] {
			t.Errorf("%q is written %s and reads %q", s, line, back)
		}
	})
}

type short struct{}

func (short) Write(b []byte) (int, error) { return len(b) / 2, errors.New("full") }

func TestWriterKeepsItsPromise(t *testing.T) {
	text := []byte("\"a\u2028b\"")
	kept := bytes.Clone(text)
	var out bytes.Buffer
	if n, err := Writer(&out).Write(text); n != len(text) || err != nil || out.String() != `"a\u2028b"` {
		t.Errorf("%d, %v, %s", n, err, out.String())
	}
	if !bytes.Equal(text, kept) {
		t.Errorf("the caller's bytes are %q now", text)
	}
	if n, err := Writer(short{}).Write(text); n == len(text) || err == nil {
		t.Errorf("%d, %v of a writer that is full", n, err)
	}
}
