package embedded

import (
	"context"
	"strings"
	"testing"

	"sparkd"
)

func TestStopEnd(t *testing.T) {
	for _, c := range []struct {
		text  string
		added int
		stops []string
		want  int
	}{
		{"abc", 1, nil, -1},
		{"abc", 1, []string{"abcd"}, -1},
		{"x</action> y", 3, []string{"</action>"}, 10}, // the match ends in the new bytes
		{"x</action> y", 2, []string{"</action>"}, -1}, // and here before them, which earlier calls saw
		{"abcd", 4, []string{"cd", "bc"}, 3},           // what ends first
		{"abcd", 4, []string{"abcd", "d"}, 4},          //
		{"aaa", 1, []string{"aa"}, 3},                  // overlaps what was there
		{"caf\xc3\xa9", 1, []string{"é"}, 5},           // the second byte of é completes it
		{"caf\xc3", 1, []string{"é"}, -1},
		{"abab", 0, []string{"ab"}, -1},
	} {
		if got := stopEnd([]byte(c.text), c.added, c.stops); got != c.want {
			t.Errorf("stopEnd(%q, %d, %q) = %d, want %d", c.text, c.added, c.stops, got, c.want)
		}
	}
}

// FuzzStops feeds a text in pieces and checks that it is cut where a search in the whole
// text finds the first end of a stop string.
func FuzzStops(f *testing.F) {
	f.Add("I go </action> now", "</action>", "<end>", uint64(3))
	f.Add("aaaaab", "aab", "ab", uint64(1))
	f.Add("caf\u00e9 na\u00efve", "\u00e9 n", "\xaf", uint64(9))
	f.Fuzz(func(t *testing.T, text, a, b string, seed uint64) {
		if a == "" || b == "" || len(text) > 1000 {
			t.Skip()
		}
		stops, want := []string{a, b}, -1
		for end := range len(text) + 1 {
			if strings.HasSuffix(text[:end], a) || strings.HasSuffix(text[:end], b) {
				want = end
				break
			}
		}
		got := -1
		for at := 0; at < len(text) && got < 0; {
			n := min(1+int(sparkd.Mix(seed, uint64(at))%5), len(text)-at)
			at += n
			got = stopEnd([]byte(text[:at]), n, stops)
		}
		if got != want {
			t.Fatalf("%q with stops %q is cut at %d, want %d", text, stops, got, want)
		}
	})
}

// script makes a toy model say words, whatever the prompt, from token at on.
func script(b *toy, at int, words ...sparkd.Token) {
	b.say = func(tokens []sparkd.Token, row []float32) {
		if i := len(tokens) - at; i < len(words) {
			row[words[i]] = 1000
		}
	}
}

func TestStops(t *testing.T) {
	const a, ab, e1, e2 = 0, 52, 50, 51 // "A", "xyz", and é in two tokens
	for _, c := range []struct {
		name   string
		words  []sparkd.Token
		change func(*sparkd.Sampling)
		text   string
		tokens int
		finish sparkd.FinishReason
	}{
		{"end of generation", []sparkd.Token{0, 1, toyEnd}, func(*sparkd.Sampling) {}, "AB", 3, sparkd.FinishStop},
		{"stop token", []sparkd.Token{0, 1, 2}, func(p *sparkd.Sampling) { p.StopTokenIDs = []sparkd.Token{2} }, "AB",
			3, sparkd.FinishStop},
		{"stop string over tokens", []sparkd.Token{0, 1, 2, 3},
			func(p *sparkd.Sampling) { p.Stop = []string{"Z", "BC"} }, "ABC", 3, sparkd.FinishStop},
		{"stop string inside a token", []sparkd.Token{0, ab}, func(p *sparkd.Sampling) { p.Stop = []string{"Ax"} },
			"Ax", 2, sparkd.FinishStop},
		{"stop inside UTF-8", []sparkd.Token{0, e1, e2, 3}, func(p *sparkd.Sampling) { p.Stop = []string{"é"} }, "Aé",
			3, sparkd.FinishStop},
		{"length", []sparkd.Token{0, 1, 2, 3}, func(p *sparkd.Sampling) { p.MaxTokens = 2 }, "AB", 2,
			sparkd.FinishLength},
		{"cut inside UTF-8", []sparkd.Token{0, e1, 2, 3}, func(p *sparkd.Sampling) { p.MaxTokens = 2 }, "A\uFFFD", 2,
			sparkd.FinishLength},
		{"stop at the last token", []sparkd.Token{0, toyEnd}, func(p *sparkd.Sampling) { p.MaxTokens = 2 }, "A", 2,
			sparkd.FinishStop},
	} {
		b := newToy(50)
		b.words[ab] = "xyz"
		script(b, 3, c.words...)
		r := newRig(t, b, sharing)
		s := ask([]sparkd.Token{1, 2, 3}, 1, 10, 1)
		c.change(&s.Sampling)
		q := r.send(context.Background(), s)
		r.drain()
		got := q.result.Samples[0]
		if q.err != nil || got.Text != c.text || len(got.Tokens) != c.tokens || got.Finish != c.finish ||
			len(got.Logprobs) != c.tokens || got.SampledLogprobs != nil {
			t.Errorf("%s: %+v, %v", c.name, got, q.err)
		}
		r.empty()
	}
}
