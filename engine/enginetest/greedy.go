package enginetest

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"sparkd"
)

// greedyTolerance is in nats. Engines keep keys and values in float16, or compute in other orders, than
// Transformers in float32. Measured with a policy of the bundled one's size: 0.0013 over 328 tokens.
const greedyTolerance = 0.02

// Continuations are what Transformers continues prompts with, greedily and in float32; train/greedy.py writes them.
type Continuations struct {
	Hash  string `json:"gguf_sha256"` // of the same policy as GGUF
	Cases []struct {
		Texts    []string       `json:"texts"` // of user and assistant in turn
		Prompt   []sparkd.Token `json:"prompt"`
		Tokens   []sparkd.Token `json:"tokens"`
		Logprobs []float64      `json:"logprobs"` // nats
	} `json:"cases"`
}

// ReadContinuations reads the file of the bundled policy; the test is skipped without it.
func ReadContinuations(t *testing.T, file string) Continuations {
	t.Helper()
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skip("SKIPPED: no " + file + "; `make policy` writes it")
	}
	var c Continuations
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Greedy checks that an engine makes the same tokens of the same texts, and the same logprobs within the tolerance.
func Greedy(t *testing.T, e sparkd.Engine, want Continuations) {
	s := &suite{e: e, info: e.Describe(), Options: Options{Timeout: 2 * time.Minute}}
	compared, rated, farthest := 0, 0, 0.0
	for i, c := range want.Cases {
		if got := s.conversation(t, c.Texts); !slices.Equal(got, c.Prompt) {
			t.Errorf("case %d: the prompt is %v, of Transformers %v", i, got, c.Prompt)
			continue
		}
		if len(c.Tokens) == 0 {
			continue
		}
		r := sparkd.SampleRequest{Prefix: c.Prompt, K: 1, Seeds: []uint64{1}, Tree: "greedy",
			Sampling: sparkd.Sampling{MaxTokens: len(c.Tokens)}}
		result, err := e.Sample(s.ctx(t), r)
		if err != nil {
			t.Fatal(err)
		}
		got, tokens := result.Samples[0], c.Tokens
		if last := len(tokens) - 1; !s.info.Capabilities.TokenExact && tokens[last] == s.info.EOT {
			tokens = tokens[:last] // what only has text does not tell the token that ends a turn
		}
		if !slices.Equal(got.Tokens, tokens) {
			t.Errorf("case %d: got %v, of Transformers %v", i, got.Tokens, tokens)
			continue
		}
		for n, logprob := range got.Logprobs {
			farthest = max(farthest, math.Abs(float64(logprob)-c.Logprobs[n]))
		}
		compared += len(got.Tokens)
		rated += len(got.Logprobs)
	}
	t.Logf("%d tokens of %d prompts; the farthest of %d logprobs differs by %.4f nats", compared, len(want.Cases),
		rated, farthest)
	if farthest > greedyTolerance {
		t.Errorf("a logprob differs by %g nats, tolerance %g", farthest, greedyTolerance)
	}
	if compared < 100 || rated < 100 {
		t.Errorf("compared %d tokens and %d logprobs only", compared, rated)
	}
}

// conversation returns the tokens of a prompt as the sampler makes them: texts alone, the
// bundled policy's control tokens around them.
func (s *suite) conversation(t *testing.T, texts []string) []sparkd.Token {
	t.Helper()
	ids := s.tokens(t, "<|user|>", true)
	for i, text := range texts {
		ids = append(ids, s.tokens(t, text, false)...)
		after := "<|assistant|>"
		if i%2 == 1 {
			after = "<|end|><|user|>"
		}
		ids = append(ids, s.tokens(t, after, true)...)
	}
	return ids
}
