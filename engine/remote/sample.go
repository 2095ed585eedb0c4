package remote

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"sparkd"
)

// Answer is what came back of one request.
type Answer struct {
	Choices  []Choice // one for each seed
	Cached   int      // of the prefix, reused
	Computed int      // prompt tokens that were run through the model, over all continuations
	Counted  bool     // the server said so
}

// Choice is one continuation in the terms of the server.
type Choice struct {
	Tokens   []sparkd.Token
	Logprobs []float64   // of Tokens, of the distribution that the server reports; nil if it does not
	Tops     [][]float64 // logprobs of distinct tokens, best first; nil where it lists none
	Text     string      // up to and including a stop string
	Stopped  bool        // by a stop token or a stop string; else by a limit
}

// Sample implements sparkd.Engine.
func (e *Engine) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if err := r.Validate(&e.about); err != nil {
		return sparkd.SampleResult{}, err
	}
	ctx, done := e.alive(ctx)
	defer done()
	if err := e.weights.Acquire(ctx, 1); err != nil {
		return sparkd.SampleResult{}, e.ended(ctx, sparkd.AsError(ctx.Err()))
	}
	defer e.weights.Release(1)
	result, err := e.sample(ctx, &r)
	if err != nil {
		return sparkd.SampleResult{}, contextFull(e.ended(ctx, err))
	}
	return result, nil
}

func (e *Engine) sample(ctx context.Context, r *sparkd.SampleRequest) (sparkd.SampleResult, error) {
	a := e.ask(r)
	result := sparkd.SampleResult{PromptTokens: len(r.Prefix), Forks: r.K - 1,
		Engine: e.about.Name, PolicyVersion: e.server.PolicyVersion()}
	drawn, err := e.server.Sample(ctx, &a)
	if err != nil {
		return result, err
	}
	for i := range drawn.Answers {
		for j := range drawn.Answers[i].Choices {
			c := &drawn.Answers[i].Choices[j]
			s, err := c.Sample(&e.about, a.Sampling)
			if can := &e.about.Capabilities; err == nil && c.Logprobs == nil && can.TokenExact && can.Logprobs.Has() {
				err = errors.New("no logprobs, which it had when it was connected")
			}
			if err != nil {
				return result, e.malformed(err)
			}
			result.Samples = append(result.Samples, s)
		}
	}
	if len(result.Samples) != len(a.Seeds) {
		return result, e.incomplete(len(result.Samples), len(a.Seeds))
	}
	for len(result.Samples) < r.K { // greedy ones
		result.Samples = append(result.Samples, copied(result.Samples[0]))
	}
	result.CachedTokens, result.ComputedTokens = drawn.cost()
	result.ExpectedTokens = a.Expected
	if e.about.Capabilities.CachedCounts {
		e.resident.compare(a.Expected, result.CachedTokens)
	}
	for i := range result.Samples {
		e.resident.add(slices.Concat(r.Prefix, result.Samples[i].Tokens))
	}
	return result, nil
}

// ask is what the server is asked for. Greedy continuations are all the same, so that one is drawn for all.
func (e *Engine) ask(r *sparkd.SampleRequest) Ask {
	a := Ask{Prefix: r.Prefix, Sampling: &r.Sampling, Seeds: r.Seeds, most: &e.most,
		Limit: r.Sampling.MaxTokens, Top: e.about.Capabilities.TopK}
	if n := e.about.ContextLength; n > 0 {
		a.Limit = min(a.Limit, n-len(r.Prefix))
	}
	if r.Sampling.Temperature == 0 {
		a.Seeds = a.Seeds[:1]
	}
	a.Expected = e.resident.expected(r.Prefix)
	a.Resident = a.Expected == e.resident.all(r.Prefix)
	return a
}

func (e *Engine) incomplete(got, want int) error {
	return sparkd.Errorf(sparkd.CodeEngine, "%s returned %d continuations of %d", e.about.Name, got, want)
}

func (e *Engine) malformed(err error) error {
	if err == nil {
		return nil
	}
	return sparkd.Errorf(sparkd.CodeEngine, "%s returned a malformed continuation: %v", e.about.Name, err)
}

// Sample checks a continuation and puts its numbers where they belong: the server reports
// logprobs of one distribution, which may or may not be the other one as well.
func (c *Choice) Sample(about *sparkd.EngineInfo, p *sparkd.Sampling) (sparkd.Sample, error) {
	if err := c.check(about.Vocabulary); err != nil {
		return sparkd.Sample{}, err
	}
	s := sparkd.Sample{Tokens: c.Tokens, Text: c.Text, Finish: c.finish(about, p)}
	if about.Capabilities.Logprobs == sparkd.LogprobsRaw || !reshapes(p) {
		s.Logprobs = narrow(c.Logprobs)
		s.Entropies, s.Margins = c.alternatives()
	} else {
		s.SampledLogprobs = narrow(c.Logprobs)
	}
	if p.Temperature == 0 {
		s.SampledLogprobs = make([]float32, len(c.Tokens)) // all mass is on the best token
	}
	return s, nil
}

// finish says why a continuation ended. Where neither the context's length nor the model's
// tokens are known, it is taken to have reached the limit.
func (c *Choice) finish(about *sparkd.EngineInfo, p *sparkd.Sampling) sparkd.FinishReason {
	known := about.Capabilities.TokenExact || about.ContextLength > 0
	switch {
	case c.Stopped:
		return sparkd.FinishStop
	case known && len(c.Tokens) < p.MaxTokens:
		return sparkd.FinishFull
	}
	return sparkd.FinishLength
}

// alternatives returns what the best tokens' logprobs say of each token's distribution:
// bounds of the entropies, and margins where there are two of them for every token.
func (c *Choice) alternatives() (entropies, margins []float32) {
	for _, top := range c.Tops {
		entropies = append(entropies, float32(entropyBound(top)))
		if len(top) > 1 {
			margins = append(margins, float32(top[0]-top[1]))
		}
	}
	if len(margins) != len(c.Tokens) {
		margins = nil
	}
	return entropies, margins
}

// check reports ids out of range, lengths that disagree and numbers that are none.
func (c *Choice) check(vocabulary int) error {
	switch {
	case len(c.Tokens) == 0:
		return fmt.Errorf("no tokens")
	case c.Logprobs != nil && len(c.Logprobs) != len(c.Tokens):
		return fmt.Errorf("%d logprobs for %d tokens", len(c.Logprobs), len(c.Tokens))
	case c.Tops != nil && len(c.Tops) != len(c.Tokens):
		return fmt.Errorf("%d lists of alternatives for %d tokens", len(c.Tops), len(c.Tokens))
	}
	for i, id := range c.Tokens {
		if id < 0 || vocabulary > 0 && int(id) >= vocabulary {
			return fmt.Errorf("token %d is %d", i, id)
		}
	}
	for i, l := range c.Logprobs {
		if math.IsNaN(l) || math.IsInf(l, 0) || l > 1e-3 {
			return fmt.Errorf("logprob %d is %v", i, l)
		}
	}
	for i, top := range c.Tops {
		bad := func(l float64) bool { return math.IsNaN(l) || math.IsInf(l, 1) }
		if len(top) == 0 || slices.ContainsFunc(top, bad) {
			return fmt.Errorf("alternatives of token %d are %v", i, top)
		}
	}
	return nil
}

// reshapes reports whether p draws from another distribution than the raw one.
func reshapes(p *sparkd.Sampling) bool {
	return p.Temperature != 1 || p.TopK > 0 || p.TopP > 0 && p.TopP < 1 || p.MinP > 0
}

// narrow converts logprobs; one a rounding above 0 is 0.
func narrow(values []float64) []float32 {
	if values == nil {
		return nil
	}
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(min(v, 0))
	}
	return out
}

func copied(s sparkd.Sample) sparkd.Sample {
	s.Tokens, s.Logprobs = slices.Clone(s.Tokens), slices.Clone(s.Logprobs)
	s.SampledLogprobs = slices.Clone(s.SampledLogprobs)
	s.Entropies, s.Margins = slices.Clone(s.Entropies), slices.Clone(s.Margins)
	return s
}

// Descending sorts the logprobs of alternatives, the best first. Those that are nil have no mass.
func Descending(list []*float64) []float64 {
	var values []float64
	for _, v := range list {
		if v != nil {
			values = append(values, *v)
		}
	}
	slices.Sort(values)
	slices.Reverse(values)
	return values
}

// entropyBound returns a lower bound of the entropy in nats of a distribution of which
// some tokens' logprobs are known: all others count as one token.
func entropyBound(logprobs []float64) float64 {
	h, rest := 0.0, 1.0
	for _, l := range logprobs {
		p := math.Exp(l)
		if p > 0 {
			h -= p * l
		}
		rest -= p
	}
	if rest > 0 {
		h -= rest * math.Log(rest)
	}
	return max(h, 0)
}
