// Package daemontest holds an engine for tests of the whole daemon: it plays an agent
// that names one of the possible actions, says the same for the same seed on every
// machine, and fails or waits where a test wants it to. No model is involved.
package daemontest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"sparkd"
)

// Engine is a deterministic sparkd.Engine. Its tokens are bytes, and a few control tokens behind them.
type Engine struct {
	// Before is called at the start of every Sample and may wait or fail; nil does neither.
	Before func(ctx context.Context, r sparkd.SampleRequest) error
	// Explore is how often an answer is tagged explore; 0 is 0.3.
	Explore float64
	// NoEntropy leaves entropies out.
	NoEntropy bool
	// Template is the chat template that it has; "" for none.
	Template string

	Sampled atomic.Int64 // Sample calls that succeeded
	Closed  atomic.Bool
}

const (
	bos sparkd.Token = 256 + iota
	imStart
	imEnd
	vocabulary
)

var controls = map[sparkd.Token]string{bos: "<s>", imStart: "<|im_start|>", imEnd: "<|im_end|>"}

// Context is the engine's context length.
const Context = 1 << 17

// Describe implements sparkd.Engine.
func (e *Engine) Describe() sparkd.EngineInfo {
	entropy := sparkd.EntropyFull
	if e.NoEntropy {
		entropy = sparkd.EntropyNone
	}
	return sparkd.EngineInfo{
		Name: "scripted", Model: "scripted agent", Architecture: "none", WeightType: "none",
		PolicyVersion: "scripted-1",
		Vocabulary:    int(vocabulary), ContextLength: Context,
		BOS: bos, EOS: imEnd, EOT: imEnd, ChatTemplate: e.Template,
		Capabilities: sparkd.Capabilities{
			TokenExact: true, Logprobs: sparkd.LogprobsBoth, Entropy: entropy, NativeK: true, CachedCounts: true,
			Deterministic: "always",
		},
	}
}

// Tokenize implements sparkd.Engine.
func (e *Engine) Tokenize(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
	var out []sparkd.Token
	for i := 0; i < len(text); {
		id, n := sparkd.Token(text[i]), 1
		for c, spelled := range controls {
			if control && strings.HasPrefix(text[i:], spelled) {
				id, n = c, len(spelled)
			}
		}
		out = append(out, id)
		i += n
	}
	return out, nil
}

// Detokenize implements sparkd.Engine.
func (e *Engine) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	var b strings.Builder
	for _, id := range ids {
		if id < 256 {
			b.WriteByte(byte(id))
		} else {
			b.WriteString(controls[id])
		}
	}
	return b.String(), nil
}

// Sample implements sparkd.Engine. Nothing is cached, so that counts do not depend on
// what was sampled before a restart.
func (e *Engine) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if e.Before != nil {
		if err := e.Before(ctx, r); err != nil {
			return sparkd.SampleResult{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return sparkd.SampleResult{}, err
	}
	if e.Closed.Load() {
		return sparkd.SampleResult{}, sparkd.Errorf(sparkd.CodeEngine, "the engine is closed")
	}
	prompt, _ := e.Detokenize(ctx, r.Prefix)
	out := sparkd.SampleResult{
		PromptTokens: len(r.Prefix), ComputedTokens: len(r.Prefix), Forks: r.K - 1,
		Engine: "scripted", PolicyVersion: "scripted-1",
	}
	for _, seed := range r.Seeds {
		out.Samples = append(out.Samples, e.answer(prompt, r.Sampling.MaxTokens, seed))
	}
	e.Sampled.Add(1)
	return out, nil
}

// answer acts on the last message of the prompt.
func (e *Engine) answer(prompt string, limit int, seed uint64) sparkd.Sample {
	rng := rand.New(rand.NewPCG(seed, 1))
	_, listed, _ := strings.Cut(prompt[max(0, strings.LastIndex(prompt, "Possible actions")):], ": ")
	listed, _, _ = strings.Cut(listed, controls[imEnd])
	listed, _, _ = strings.Cut(listed, "\n")
	actions := strings.Split(strings.TrimSpace(listed), ", ")
	tag := "think"
	if rng.Float64() < cmp.Or(e.Explore, 0.3) {
		tag = "explore"
	}
	s := sparkd.Sample{
		Text: fmt.Sprintf("<%s>%d</%s>\n<action>%s</action>",
			tag, rng.IntN(1000), tag, actions[rng.IntN(len(actions))]),
		Finish: sparkd.FinishStop,
	}
	s.Tokens, _ = e.Tokenize(context.Background(), s.Text, false)
	if s.Tokens = append(s.Tokens, imEnd); len(s.Tokens) > limit {
		s.Tokens, s.Text, s.Finish = s.Tokens[:limit], s.Text[:limit], sparkd.FinishLength
	}
	for range s.Tokens {
		p := 0.05 + 0.9*rng.Float64()
		s.Logprobs = append(s.Logprobs, float32(math.Log(p)))
		s.Margins = append(s.Margins, float32(rng.Float64()))
		if !e.NoEntropy {
			s.Entropies = append(s.Entropies, float32(-math.Log(p)))
		}
	}
	return s
}

// Close implements sparkd.Engine.
func (e *Engine) Close() error {
	e.Closed.Store(true)
	return nil
}
