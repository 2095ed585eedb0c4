package jsonlines

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFields(t *testing.T) {
	type values struct {
		text  string
		truth bool
		n     int
		x     float64
		list  []string
		bytes []byte
		sizes map[string]int
	}
	for line, words := range map[string]string{
		`{"text": "a", "truth": true, "n": 3, "x": 3, "list": [], "bytes": "AQ==", "sizes": {"a": 1}}`: "",
		`{"text": "", "other": {"text": null, "a": 1, "a": 2}}`:                                        "",
		`{}`:                                      "its thing has no text; write a text",
		`{"text": null}`:                          "its thing has no text; write a text",
		`{"text": 1}`:                             `"text" is "1"; write a text`,
		`{"text": "", "truth": 1}`:                `"truth" is "1"; write true or false`,
		`{"text": "", "n": 1.5}`:                  `"n" is "1.5"; write a whole number`,
		`{"text": "", "n": null}`:                 `"n" is null; write a whole number, or leave it out`,
		`{"text": "", "x": 1e999}`:                `"x" is "1e999"; write a finite number`,
		`{"text": "", "x": -Infinity}`:            `"x" is -Infinity, which JSON does not have`,
		`{"text": "", "list": ["a", null]}`:       `"list" is a list with null at 1`,
		`{"text": "", "bytes": "?"}`:              `write bytes in base64`,
		`{"text": "", "sizes": {"a": null}}`:      `"sizes" is an object in which "a" is null`,
		`{"text": "", "sizes": {"a": 1, "a": 2}}`: `"sizes" is an object in which "a" is there twice`,
		`{"text": "", "TEXT": ""}`:                `the name of "TEXT" is written "text"`,
		`{"text": "", "text": ""}`:                `"text" is there twice`,
		`{"text": ""} x`:                          "something follows the object",
		`{"text": ""`:                             "it is no JSON",
		`["text"]`:                                "it is no JSON object",
		``:                                        "it is no JSON",
		"{\"text\": \"\xff\"}":                    "it is no UTF-8",
		`{"text": "cut \ud83d"}`:                  `half of a surrogate pair, \ud83d,`,
		`{"text": "\uDD8A\uD83E"}`:                `half of a surrogate pair, \uDD8A,`,
		`{"text": "\ud83e\udd8a \\ud83e"}`:        "",
	} {
		var v values
		f := FieldsOf("thing", []byte(line))
		f.Need("text", &v.text)
		f.Read("truth", &v.truth)
		f.Read("n", &v.n)
		f.Read("x", &v.x)
		f.Read("list", &v.list)
		f.Read("bytes", &v.bytes)
		f.Read("sizes", &v.sizes)
		err := f.End()
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", line, err, words)
		}
	}
}

// What is read is what encoding/json reads, or refused.
func FuzzFields(f *testing.F) {
	for _, line := range []string{`{"text": "a", "n": 3}`, `{"n": null}`, `{"Text": "a"}`, `{"text":"","text":"b"}`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var text string
		var n int
		m := FieldsOf("thing", line)
		m.Read("text", &text)
		m.Read("n", &n)
		if m.End() != nil {
			return
		}
		var want struct {
			Text string `json:"text"`
			N    int    `json:"n"`
		}
		if err := json.Unmarshal(line, &want); err != nil || want.Text != text || want.N != n {
			t.Fatalf("%q: %q and %d, want %+v, %v", line, text, n, want, err)
		}
	})
}
