package ollama

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/remote"
)

// read feeds lines of a stream to a reader, as the server sends them.
func read(v *vocabulary, stop []string, lines string) (answer, error) {
	r := &reader{words: v, model: "m", asked: remote.Ask{Top: 2,
		Sampling: &sparkd.Sampling{Temperature: 1, MaxTokens: 8, Stop: stop}}}
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		var p piece
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			return answer{}, err
		}
		p.Model = "m"
		if err := r.add(p); errors.Is(err, errFound) {
			r.found, r.Stopped = true, true
			return r.whole(v.eot)
		} else if err != nil {
			return answer{}, err
		}
	}
	return r.whole(v.eot)
}

// A logprob that is null is none, and not that of a token that is certain.
func TestNullLogprobs(t *testing.T) {
	v := vocabularyOf(t, info())
	got, err := read(v, nil, `{"response":"he","logprobs":[{"token":"he","logprob":null}]}`)
	if sparkd.CodeOf(err) != sparkd.CodeEngine {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = read(v, nil, `{"response":"he","logprobs":[{"token":"he","logprob":-1,"top_logprobs":[`+
		`{"token":"he","logprob":-1},{"token":"x","logprob":null}]}]}`+"\n"+
		`{"done":true,"done_reason":"length","eval_count":1}`)
	if err != nil || !slices.Equal(got.Tops[0], []float64{-1}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReader(t *testing.T) {
	v := vocabularyOf(t, info())
	const he = `{"response":"he","logprobs":[{"token":"he","logprob":-1,` +
		`"top_logprobs":[{"token":"he","logprob":-1},{"token":"x","logprob":-2}]}]}` + "\n"
	const llo = `{"response":"ll","logprobs":[{"token":"ll","logprob":-1.5}]}` + "\n" +
		`{"response":"o","logprobs":[{"token":"o","logprob":-2.5}]}` + "\n"
	end := func(reason, counts string) string {
		return `{"done":true,"done_reason":"` + reason + `"` + counts + `}`
	}
	for _, c := range []struct {
		name, lines string
		stop        []string
		text        string
		tokens      []string
		logprobs    []float64
		stopped     bool
		cached      int // -1: not reported
	}{
		{"by length", he + end("length", `,"prompt_eval_count":9,"prompt_eval_cached_count":7,"eval_count":1`), nil,
			"he", []string{"he"}, []float64{-1}, false, 7},
		{"by the end of the turn", he + llo + end("stop",
			`,"prompt_eval_count":9,"prompt_eval_cached_count":0,"eval_count":4`), nil,
			"hello", []string{"he", "ll", "o"}, []float64{-1, -1.5, -2.5}, true, 0},
		{"a token without text", he + llo + end("length",
			`,"prompt_eval_count":9,"prompt_eval_cached_count":0,"eval_count":4`), nil,
			"hello", []string{"he", "ll", "o"}, nil, false, 0},
		{"a server that counts nothing", he + end("length", `,"eval_count":7`), nil, "he", []string{"he"},
			[]float64{-1}, false, -1},
		{"a stop string over two pieces", he + llo, []string{"x", "el"}, "hel", []string{"he", "ll"},
			[]float64{-1, -1.5}, true, -1},
		{"the first of two stop strings", he + llo, []string{"llo", "e"}, "he", []string{"he"}, []float64{-1},
			true, -1},
		{"a character of two tokens", he + `{"response":"é","logprobs":[{"token":"","logprob":-1}]}` + "\n" +
			end("length", ``), nil, "heé", []string{"he", "\xc3", "\xa9"}, nil, false, -1},
		{"both halves listed", `{"response":"é","logprobs":[{"token":"\ufffd","logprob":-1},` +
			`{"token":"\ufffd","logprob":-2}]}` + "\n" + end("length", ``), nil,
			"é", []string{"\xc3", "\xa9"}, []float64{-1, -2}, false, -1},
		{"the end alone", end("stop", `,"prompt_eval_count":9,"prompt_eval_cached_count":3,"eval_count":1`), nil, "",
			[]string{"<|end|>"}, nil, true, 3},
	} {
		got, err := read(v, c.stop, c.lines)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var tokens []string
		for _, id := range got.Tokens {
			tokens = append(tokens, v.texts[id])
		}
		if got.Text != c.text || !slices.Equal(tokens, c.tokens) || !slices.Equal(got.Logprobs, c.logprobs) ||
			got.Stopped != c.stopped {
			t.Errorf("%s: %q %q %v stopped %v", c.name, got.Text, tokens, got.Logprobs, got.Stopped)
		}
		if got.counted != (c.cached >= 0) || got.counted && got.cached != c.cached {
			t.Errorf("%s: cached %d (reported: %v), want %d", c.name, got.cached, got.counted, c.cached)
		}
	}
}

// FuzzReader: whatever a server streams is refused or well-formed.
func FuzzReader(f *testing.F) {
	f.Add(`{"response":"he","logprobs":[{"token":"he","logprob":-1,"top_logprobs":[{"logprob":-1}]}]}`+"\n"+
		`{"done":true,"done_reason":"stop","eval_count":2,"prompt_eval_cached_count":3}`, "e")
	f.Add(`{"response":"é","logprobs":[{"token":"","logprob":1e-9}]}`+"\n"+`{"done":true}`, "")
	f.Add(`{"done":true,"done_reason":"stop"}`, "x")
	v := vocabularyOf(f, info())
	about := &sparkd.EngineInfo{Vocabulary: len(v.texts),
		Capabilities: sparkd.Capabilities{Logprobs: sparkd.LogprobsRaw}}
	f.Fuzz(func(t *testing.T, lines, stop string) {
		got, err := read(v, []string{"never", "x" + stop}, lines)
		if err != nil {
			return
		}
		s, err := got.Sample(about, &sparkd.Sampling{Temperature: 1, MaxTokens: 8})
		if err != nil {
			return
		}
		span := sparkd.Span{Source: sparkd.SourceModel, Tokens: s.Tokens, Logprobs: s.Logprobs, Entropies: s.Entropies}
		if err := span.Validate(); err != nil || len(s.Tokens) == 0 {
			t.Fatalf("%q is read as %+v: %v", lines, s, err)
		}
	})
}

func TestFold(t *testing.T) {
	seen := map[int64]bool{}
	for seed := range uint64(1000) {
		for _, s := range []uint64{seed, seed << 32, seed << 53, ^seed} {
			n := fold(s)
			if n < 0 || n > 1<<31-1 {
				t.Fatalf("%d becomes %d", s, n)
			}
			seen[n] = true
		}
	}
	if len(seen) < 3900 {
		t.Errorf("4000 seeds become %d", len(seen))
	}
}
