package ollama

import (
	"context"
	"fmt"
	"slices"

	"sparkd"
	"sparkd/engine/remote"
)

// Sample implements sparkd.Engine.
func (e *Engine) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if err := e.check(&r); err != nil {
		return sparkd.SampleResult{}, err
	}
	prompt, err := e.words.prompt(r.Prefix)
	if err != nil {
		return sparkd.SampleResult{}, err
	}
	ctx, done := e.alive(ctx)
	defer done()
	if err := e.places.Acquire(ctx, 1); err != nil {
		return sparkd.SampleResult{}, e.ended(ctx, sparkd.AsError(ctx.Err()))
	}
	defer e.places.Release(1)
	result, err := e.siblings(ctx, prompt, &r)
	if err != nil {
		return sparkd.SampleResult{}, e.ended(ctx, err)
	}
	e.mu.Lock()
	e.loaded = true
	e.mu.Unlock()
	return result, nil
}

// check refuses what the server cannot answer.
func (e *Engine) check(r *sparkd.SampleRequest) error {
	if err := r.Sampling.Validate("sampling"); err != nil {
		return err
	}
	switch {
	case len(r.Prefix) == 0:
		return sparkd.Invalid("prefix", "give at least one token of text", "nothing to continue")
	case r.K < 1 || r.K > sparkd.MaxLeaves:
		return sparkd.Invalid("k", fmt.Sprintf("use 1 to %d", sparkd.MaxLeaves), "%d continuations", r.K)
	case len(r.Seeds) != r.K:
		return sparkd.Invalid("seeds", "give one seed per continuation", "%d seeds for %d continuations", len(r.Seeds), r.K)
	case len(r.Sampling.StopTokenIDs) > 0:
		return sparkd.Invalid("sampling.stop_token_ids", "use sampling.stop, or an engine that returns token ids", "Ollama knows no token ids")
	case len(r.Prefix) >= e.about.ContextLength:
		return &sparkd.Error{Code: sparkd.CodeContext, Field: "prefix",
			Message: fmt.Sprintf("the prefix has %d tokens and the model's context %d", len(r.Prefix), e.about.ContextLength),
			Remedy:  "take fewer or shorter steps, or a larger num_ctx"}
	}
	return nil
}

// siblings asks for the continuations of a prompt one after the other, and adds up what
// they cost. Greedy ones are all alike, so one is asked for. A request that ends at a stop
// string never gets to its counts; where one may, a request for a single token brings the
// prefix into the cache and reports them.
func (e *Engine) siblings(ctx context.Context, prompt string, r *sparkd.SampleRequest) (sparkd.SampleResult, error) {
	now, counts := e.serves(), e.about.Capabilities.CachedCounts
	result := sparkd.SampleResult{PromptTokens: len(r.Prefix), Engine: e.about.Name, PolicyVersion: now.policy, Forks: r.K - 1}
	a := ask{prompt: prompt, sampling: &r.Sampling, context: e.about.ContextLength, top: e.about.Capabilities.TopK,
		limit: min(r.Sampling.MaxTokens, e.about.ContextLength-len(r.Prefix))}
	warm := counts && len(r.Sampling.Stop) > 0
	if warm {
		w := a
		w.sampling, w.limit, w.top = &sparkd.Sampling{}, 1, 0
		got, err := e.generate(ctx, now.model, w)
		if err != nil {
			return result, err
		}
		got.cost(&result, true)
	}
	want := r.K
	if r.Sampling.Temperature == 0 {
		want = 1
	}
	for i := range want {
		a.seed = r.Seeds[i]
		got, err := e.generate(ctx, now.model, a)
		if err != nil {
			return result, err
		}
		if !got.found || !counts {
			got.cost(&result, i == 0 && !warm)
		}
		result.Samples = append(result.Samples, e.sample(&got, &r.Sampling))
	}
	for len(result.Samples) < r.K {
		result.Samples = append(result.Samples, copied(result.Samples[0]))
	}
	return result, nil
}

// cost adds what an answer says of its prompt. A server that does not count what it reused
// is taken to have computed everything.
func (a *answer) cost(result *sparkd.SampleResult, first bool) {
	if !a.counted {
		result.ComputedTokens += result.PromptTokens
		return
	}
	result.ComputedTokens += a.prompt - a.cached
	if first {
		result.CachedTokens = min(a.cached, result.PromptTokens)
	}
}

// sample puts the numbers of an answer where they belong: the server reports logprobs of
// one distribution, which may or may not be the other one as well.
func (e *Engine) sample(a *answer, p *sparkd.Sampling) sparkd.Sample {
	s := sparkd.Sample{Tokens: a.tokens, Text: a.text, Finish: sparkd.FinishStop}
	switch {
	case a.stopped:
	case len(a.tokens) < p.MaxTokens:
		s.Finish = sparkd.FinishFull
	default:
		s.Finish = sparkd.FinishLength
	}
	if a.logprobs == nil {
		return s
	}
	if e.about.Capabilities.Logprobs != sparkd.LogprobsRaw && reshapes(p) {
		s.SampledLogprobs = narrow(a.logprobs)
		return s
	}
	s.Logprobs = narrow(a.logprobs)
	if p.Temperature == 0 {
		s.SampledLogprobs = make([]float32, len(a.tokens)) // all mass is on the best token
	}
	for _, tops := range a.tops {
		s.Entropies = append(s.Entropies, float32(remote.EntropyBound(tops)))
		if len(tops) > 1 {
			s.Margins = append(s.Margins, float32(tops[0]-tops[1]))
		}
	}
	if len(s.Margins) != len(s.Tokens) {
		s.Margins = nil
	}
	return s
}

// reshapes reports whether p draws from another distribution than the raw one.
func reshapes(p *sparkd.Sampling) bool {
	return p.Temperature != 1 || p.TopK > 0 || p.TopP > 0 && p.TopP < 1 || p.MinP > 0
}

// narrow converts logprobs; one a rounding above 0 is 0.
func narrow(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(min(v, 0))
	}
	return out
}

func copied(s sparkd.Sample) sparkd.Sample {
	s.Tokens, s.Logprobs, s.SampledLogprobs = slices.Clone(s.Tokens), slices.Clone(s.Logprobs), slices.Clone(s.SampledLogprobs)
	s.Entropies, s.Margins = slices.Clone(s.Entropies), slices.Clone(s.Margins)
	return s
}
