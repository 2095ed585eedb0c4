package openai

import (
	"context"
	"fmt"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"sparkd"
	"sparkd/engine/remote"
)

// Sample implements sparkd.Engine.
func (e *Engine) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if err := e.check(&r); err != nil {
		return sparkd.SampleResult{}, err
	}
	ctx, done := e.alive(ctx)
	defer done()
	result, err := e.sample(ctx, &r)
	if err != nil {
		return sparkd.SampleResult{}, readable(e.ended(ctx, err))
	}
	return result, nil
}

func (e *Engine) sample(ctx context.Context, r *sparkd.SampleRequest) (sparkd.SampleResult, error) {
	if err := e.weights.Acquire(ctx, 1); err != nil {
		return sparkd.SampleResult{}, sparkd.AsError(ctx.Err())
	}
	defer e.weights.Release(1)
	a := ask{prefix: r.Prefix, sampling: &r.Sampling, top: e.about.Capabilities.TopK}
	a.limit = r.Sampling.MaxTokens
	if e.about.ContextLength > 0 {
		a.limit = min(a.limit, e.about.ContextLength-len(r.Prefix))
	}
	s, free, err := e.situation(ctx, &a, r)
	if err != nil {
		return sparkd.SampleResult{}, err
	}
	defer free()
	p := planOf(s)
	result := sparkd.SampleResult{PromptTokens: len(r.Prefix), ExpectedTokens: a.expected, Engine: e.about.Name, PolicyVersion: e.server.version()}
	if err := e.run(ctx, p, a, r, &result); err != nil {
		return result, err
	}
	for len(result.Samples) < r.K { // of a greedy plan
		result.Samples = append(result.Samples, copied(result.Samples[0]))
	}
	result.Forks = r.K - 1
	for i := range result.Samples {
		e.trunks.add(slices.Concat(r.Prefix, result.Samples[i].Tokens))
	}
	return result, nil
}

// situation finds out what a plan depends on. Where the server has slots, one is taken for
// the prefix until free is called.
func (e *Engine) situation(ctx context.Context, a *ask, r *sparkd.SampleRequest) (s situation, free func(), err error) {
	name, _ := e.Dialect()
	s = situation{dialect: name, k: r.K, greedy: r.Sampling.Temperature == 0, most: r.K}
	if s.prefixCache() {
		a.expected = e.trunks.holds(r.Prefix)
		s.resident = a.expected == e.trunks.whole(r.Prefix)
	}
	l, ok := e.dialect.(*llamacpp)
	if !ok {
		return s, func() {}, nil
	}
	continuations := s.k
	if s.greedy {
		continuations = 1
	}
	free, err = l.slots.take(ctx, a, continuations)
	s.most, s.copies, s.resident = l.slots.most(), l.slots.saves != nil, !a.cold
	return s, free, err
}

// run sends the requests of a plan and adds up what they cost.
func (e *Engine) run(ctx context.Context, p plan, a ask, r *sparkd.SampleRequest, result *sparkd.SampleResult) error {
	if p.warm {
		got, err := e.warm(ctx, a, r.Seeds[0])
		if err != nil {
			return err
		}
		result.CachedTokens, result.ComputedTokens = got.cached, got.computed
	}
	seeds := r.Seeds
	if a.sampling.Temperature == 0 {
		seeds = seeds[:1]
	}
	answers, err := e.draw(ctx, p, a, seeds)
	if err != nil {
		return err
	}
	for i, got := range answers {
		if !p.warm && (i == 0 || got.cached < result.CachedTokens) {
			result.CachedTokens = got.cached // the other siblings found what this one computed
		}
		result.ComputedTokens += got.computed
		for j := range got.choices {
			s, err := e.read(&got.choices[j], &a)
			if err != nil {
				return sparkd.Errorf(sparkd.CodeEngine, "%s returned a malformed continuation: %v", e.about.Name, err)
			}
			result.Samples = append(result.Samples, s)
		}
	}
	return nil
}

// warm has the server compute a prefix.
func (e *Engine) warm(ctx context.Context, a ask, seed uint64) (answer, error) {
	if l, ok := e.dialect.(*llamacpp); ok {
		return l.trunk(ctx, a)
	}
	a.n, a.limit, a.top, a.seed = 1, 0, 0, seed
	return e.dialect.generate(ctx, a)
}

// draw sends the requests for a continuation per seed.
func (e *Engine) draw(ctx context.Context, p plan, a ask, seeds []uint64) (answers []answer, err error) {
	if l, ok := e.dialect.(*llamacpp); ok && p.atOnce {
		return l.atOnce(ctx, a, seeds)
	}
	requests := slices.Collect(slices.Chunk(seeds, p.each))
	answers = make([]answer, len(requests))
	g, ctx := errgroup.WithContext(ctx)
	if !p.atOnce {
		g.SetLimit(1)
	}
	for i, some := range requests {
		g.Go(func() (err error) {
			answers[i], err = e.several(ctx, a, some)
			return err
		})
	}
	return answers, g.Wait()
}

// several sends one request for a continuation per seed, of which the first counts.
func (e *Engine) several(ctx context.Context, a ask, seeds []uint64) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, err
	}
	a.n, a.seed = len(seeds), seeds[0]
	got, err := e.dialect.generate(ctx, a)
	if err == nil && len(got.choices) != a.n {
		err = sparkd.Errorf(sparkd.CodeEngine, "%s returned %d continuations of %d", e.about.Name, len(got.choices), a.n)
	}
	return got, err
}

// read checks a continuation and puts its numbers where they belong: the server reports
// logprobs of one distribution, which may or may not be the other one as well.
func (e *Engine) read(c *choice, a *ask) (sparkd.Sample, error) {
	if err := c.check(e.about.Vocabulary); err != nil {
		return sparkd.Sample{}, err
	}
	s := sparkd.Sample{Tokens: c.tokens, Text: c.text, Finish: c.finish(a)}
	if s.Finish == sparkd.FinishFull && !e.about.Capabilities.TokenExact {
		s.Finish = sparkd.FinishLength // MaxTokens counts in tokens of the model, which are not told
	}
	raw := e.about.Capabilities.Logprobs == sparkd.LogprobsRaw || !reshapes(a.sampling)
	if raw {
		s.Logprobs = narrow(c.logprobs)
	} else {
		s.SampledLogprobs = narrow(c.logprobs)
	}
	if a.sampling.Temperature == 0 {
		s.SampledLogprobs = make([]float32, len(c.tokens)) // all mass is on the best token
	}
	if raw && c.tops != nil {
		for _, top := range c.tops {
			s.Entropies = append(s.Entropies, float32(remote.EntropyBound(top)))
			if len(top) > 1 {
				s.Margins = append(s.Margins, float32(top[0]-top[1]))
			}
		}
		if len(s.Margins) != len(c.tokens) {
			s.Margins = nil
		}
	}
	return s, nil
}

func (c *choice) finish(a *ask) sparkd.FinishReason {
	switch {
	case c.stopped:
		return sparkd.FinishStop
	case len(c.tokens) < a.sampling.MaxTokens:
		return sparkd.FinishFull
	}
	return sparkd.FinishLength
}

// check reports ids out of range, lengths that disagree and numbers that are none.
func (c *choice) check(vocabulary int) error {
	switch {
	case len(c.tokens) == 0:
		return fmt.Errorf("no tokens")
	case c.logprobs != nil && len(c.logprobs) != len(c.tokens):
		return fmt.Errorf("%d logprobs for %d tokens", len(c.logprobs), len(c.tokens))
	case c.tops != nil && len(c.tops) != len(c.tokens):
		return fmt.Errorf("%d lists of alternatives for %d tokens", len(c.tops), len(c.tokens))
	}
	for i, id := range c.tokens {
		if id < 0 || vocabulary > 0 && int(id) >= vocabulary {
			return fmt.Errorf("token %d is %d", i, id)
		}
	}
	for i, l := range c.logprobs {
		if math.IsNaN(l) || math.IsInf(l, 0) || l > 1e-3 {
			return fmt.Errorf("logprob %d is %v", i, l)
		}
	}
	for i, top := range c.tops {
		if len(top) == 0 || slices.ContainsFunc(top, func(l float64) bool { return math.IsNaN(l) || math.IsInf(l, 1) }) {
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
	s.Tokens, s.Logprobs, s.SampledLogprobs = slices.Clone(s.Tokens), slices.Clone(s.Logprobs), slices.Clone(s.SampledLogprobs)
	s.Entropies, s.Margins = slices.Clone(s.Entropies), slices.Clone(s.Margins)
	return s
}
