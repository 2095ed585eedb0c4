//go:build cgo

package embedded_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"sparkd"
	"sparkd/bundled"
	"sparkd/sampler/engine/embedded"
)

// Greedy continuations of the bundled policy as Transformers computes them in float32;
// train/greedy.py writes them, which `make policy` runs.
const greedyFile = "../../../bundled/testdata/greedy.json"

// The engine keeps keys and values in float16; the weights are float16 in both. Measured
// with a policy of this size: 0.0013 nats over 328 tokens.
const greedyTolerance = 0.02

type greedy struct {
	Hash  string `json:"gguf_sha256"`
	Cases []struct {
		Texts    []string       `json:"texts"` // of user and assistant in turn
		Prompt   []sparkd.Token `json:"prompt"`
		Tokens   []sparkd.Token `json:"tokens"`
		Logprobs []float64      `json:"logprobs"`
	} `json:"cases"`
}

func TestBundledPolicyEqualsTransformers(t *testing.T) {
	text, err := os.ReadFile(greedyFile)
	if os.IsNotExist(err) {
		t.Skip("SKIPPED: no " + greedyFile + "; `make policy` writes it")
	}
	var want greedy
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&want); err != nil {
		t.Fatal(err)
	}
	path, err := bundled.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != want.Hash {
		t.Fatalf("%s is of another policy than the bundled one; run train/greedy.py for this one", greedyFile)
	}
	e, err := embedded.Open(t.Context(), embedded.Options{Model: path, Threads: 1, PrefixCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	compared, farthest := 0, 0.0
	for i, c := range want.Cases {
		if got := conversation(t, e, c.Texts); !slices.Equal(got, c.Prompt) {
			t.Errorf("case %d: the prompt is %v, of Transformers %v", i, got, c.Prompt)
			continue
		}
		if len(c.Tokens) == 0 {
			continue
		}
		r, err := e.Sample(t.Context(), sparkd.SampleRequest{Prefix: c.Prompt, K: 1, Seeds: []uint64{1}, Tree: "greedy",
			Sampling: sparkd.Sampling{Temperature: 0, MaxTokens: len(c.Tokens)}})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Samples[0]
		if !slices.Equal(got.Tokens, c.Tokens) {
			t.Errorf("case %d: got %v, of Transformers %v", i, got.Tokens, c.Tokens)
			continue
		}
		for n, logprob := range got.Logprobs {
			farthest = max(farthest, math.Abs(float64(logprob)-c.Logprobs[n]))
		}
		compared += len(got.Tokens)
	}
	t.Logf("%d tokens of %d prompts; the farthest logprob differs by %.4f nats", compared, len(want.Cases), farthest)
	if farthest > greedyTolerance {
		t.Errorf("a logprob differs by %g nats, tolerance %g", farthest, greedyTolerance)
	}
	if compared < 100 {
		t.Errorf("compared %d tokens only", compared)
	}
}

// conversation returns the tokens of a prompt as the sampler makes them: texts alone,
// control tokens around them.
func conversation(t *testing.T, e *embedded.Engine, texts []string) []sparkd.Token {
	t.Helper()
	var ids []sparkd.Token
	add := func(text string, control bool) {
		more, err := e.Tokenize(context.Background(), text, control)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, more...)
	}
	for i, text := range texts {
		if i%2 == 0 {
			add("<|user|>", true)
			add(text, false)
			continue
		}
		add("<|assistant|>", true)
		add(text, false)
		add("<|end|>", true)
	}
	add("<|assistant|>", true)
	return ids
}
