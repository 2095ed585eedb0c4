// Package enginetest checks that an engine keeps the promises of sparkd.Engine, whatever
// it is made of, and records and replays the HTTP of those that are servers.
//
// Run is one suite for all engines. What an engine says it cannot do (its Capabilities) is
// not asked of it; what it says it can do is checked.
package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd"
)

// Options say what is particular to an engine. Zero values ask for the defaults.
type Options struct {
	Prompt string // continued by the model; default a sentence
	// Tolerance is between logprobs of the same tokens that were computed in another way; default
	// 0.05, because other batch shapes round differently.
	Tolerance float64
	Tokens    int           // of a continuation; default 12
	Timeout   time.Duration // of a check; default 2 minutes
	// Running says how many requests the server works on; nil where it does not tell.
	Running func(ctx context.Context) (int, error)
	// Recorded engines answer the requests of their recordings alone.
	Recorded bool
}

type suite struct {
	Options
	e      sparkd.Engine
	info   sparkd.EngineInfo
	prompt []sparkd.Token
}

// Draws checks that continuations of one prefix are draws of their own, a part of Run.
func Draws(t *testing.T, e sparkd.Engine, o Options) { newSuite(t, e, o).draws(t) }

func newSuite(t *testing.T, e sparkd.Engine, o Options) *suite {
	t.Helper()
	const sentence = "Once upon a time there was a little house at the edge of the forest, and in it lived"
	o.Prompt, o.Tolerance = cmp.Or(o.Prompt, sentence), cmp.Or(o.Tolerance, 0.05)
	o.Tokens, o.Timeout = cmp.Or(o.Tokens, 12), cmp.Or(o.Timeout, 2*time.Minute)
	s := &suite{Options: o, e: e, info: e.Describe()}
	s.prompt = s.tokens(t, o.Prompt, false)
	if s.info.AddBOS && s.info.BOS >= 0 {
		s.prompt = append([]sparkd.Token{s.info.BOS}, s.prompt...)
	}
	return s
}

// Run checks an engine. The engine stays open.
func Run(t *testing.T, e sparkd.Engine, o Options) {
	s := newSuite(t, e, o)
	for _, c := range []struct {
		name  string
		check func(*testing.T)
	}{
		{"describe", s.describe}, {"round trip", s.roundTrip}, {"control text", s.controlText},
		{"samples", s.samples}, {"greedy", s.greedy}, {"teacher forced", s.teacherForced}, {"distinct", s.distinct},
		{"draws", s.draws},
		{"stop string", s.stopString}, {"stop token", s.stopToken}, {"max tokens", s.maxTokens}, {"context", s.context},
		{"counts", s.counts}, {"siblings", s.siblings}, {"bad requests", s.badRequests}, {"cancel", s.cancel},
	} {
		if !t.Run(c.name, c.check) && t.Failed() && c.name == "describe" {
			return
		}
	}
}

func (s *suite) ctx(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.Timeout)
	t.Cleanup(cancel)
	return ctx
}

func (s *suite) tokens(t *testing.T, text string, control bool) []sparkd.Token {
	t.Helper()
	ids, err := s.e.Tokenize(s.ctx(t), text, control)
	if err != nil {
		t.Fatalf("tokenise %q: %v", text, err)
	}
	return ids
}

func (s *suite) text(t *testing.T, ids []sparkd.Token) string {
	t.Helper()
	text, err := s.e.Detokenize(s.ctx(t), ids)
	if err != nil {
		t.Fatalf("detokenise %v: %v", ids, err)
	}
	return text
}

// request is for k continuations of prefix at a temperature, with seeds from seed on.
func (s *suite) request(prefix []sparkd.Token, k int, temperature float64, seed uint64) sparkd.SampleRequest {
	r := sparkd.SampleRequest{Prefix: prefix, K: k, Tree: "enginetest",
		Sampling: sparkd.Sampling{Temperature: temperature, MaxTokens: s.Tokens}}
	for i := range k {
		r.Seeds = append(r.Seeds, seed+1000*uint64(i))
	}
	return r
}

// sample asks, and checks what holds of every answer.
func (s *suite) sample(t *testing.T, r sparkd.SampleRequest) sparkd.SampleResult {
	t.Helper()
	got, err := s.e.Sample(s.ctx(t), r)
	if err != nil {
		t.Fatalf("sample: %v", err)
	}
	if len(got.Samples) != r.K || got.PromptTokens != len(r.Prefix) ||
		got.PolicyVersion != s.info.PolicyVersion || got.Engine == "" {
		t.Fatalf("asked for %d continuations of %d tokens by %q: %d of %d by %q of %q",
			r.K, len(r.Prefix), s.info.PolicyVersion, len(got.Samples), got.PromptTokens, got.PolicyVersion, got.Engine)
	}
	for i := range got.Samples {
		if err := s.wellFormed(&got.Samples[i], &r); err != nil {
			t.Fatalf("continuation %d: %v: %+v", i, err, got.Samples[i])
		}
	}
	return got
}

// wellFormed checks lengths, numbers, ids, text and finish of one continuation.
func (s *suite) wellFormed(x *sparkd.Sample, r *sparkd.SampleRequest) error {
	span := sparkd.Span{Source: sparkd.SourceModel, Tokens: x.Tokens, Logprobs: x.Logprobs,
		SampledLogprobs: x.SampledLogprobs, Entropies: x.Entropies}
	if err := span.Validate(); err != nil {
		return err
	}
	n, c := len(x.Tokens), &s.info.Capabilities
	reshaped := r.Sampling.Temperature != 1 || r.Sampling.TopK > 0 || r.Sampling.TopP > 0 || r.Sampling.MinP > 0
	raw := c.Logprobs.Has() && (c.Logprobs != sparkd.LogprobsSampled || !reshaped)
	switch {
	case n == 0:
		return fmt.Errorf("no tokens")
	case c.TokenExact && n > r.Sampling.MaxTokens:
		return fmt.Errorf("%d tokens of at most %d", n, r.Sampling.MaxTokens)
	// One that guesses tokens may know of no logprobs that fit.
	case raw != (x.Logprobs != nil) && (c.TokenExact || !raw):
		return fmt.Errorf("declares logprobs %q and returns %d", c.Logprobs, len(x.Logprobs))
	case c.Logprobs == sparkd.LogprobsBoth && reshaped && x.SampledLogprobs == nil:
		return fmt.Errorf("no logprobs of the distribution that was sampled from")
	case c.Entropy.Has() != (x.Entropies != nil) && x.Logprobs != nil:
		return fmt.Errorf("declares entropy %q and returns %d", c.Entropy, len(x.Entropies))
	case !slices.Contains([]sparkd.FinishReason{sparkd.FinishStop, sparkd.FinishLength, sparkd.FinishFull}, x.Finish):
		return fmt.Errorf("finish %q", x.Finish)
	case c.TokenExact && x.Finish == sparkd.FinishLength && n != r.Sampling.MaxTokens:
		return fmt.Errorf("ended by length after %d tokens of %d", n, r.Sampling.MaxTokens)
	}
	for i, id := range x.Tokens {
		if id < 0 || s.info.Vocabulary > 0 && int(id) >= s.info.Vocabulary {
			return fmt.Errorf("token %d is %d of %d", i, id, s.info.Vocabulary)
		}
		if x.Logprobs != nil && x.Logprobs[i] > 0 {
			return fmt.Errorf("logprob %d is %v", i, x.Logprobs[i])
		}
		if x.Entropies != nil && (x.Entropies[i] < 0 ||
			s.info.Vocabulary > 0 && float64(x.Entropies[i]) > math.Log(float64(s.info.Vocabulary))+1e-3) {
			return fmt.Errorf("entropy %d is %v", i, x.Entropies[i])
		}
	}
	return nil
}

// plain reports whether text has neither halves of characters nor control tokens, so that all engines spell it alike.
func plain(text string) bool {
	return !strings.ContainsRune(text, '\uFFFD') && !strings.Contains(text, "<|") && !strings.Contains(text, "</s>")
}
