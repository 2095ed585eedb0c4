package openai

import (
	"context"
	"fmt"
	"math"
	"strings"

	"sparkd"
)

// probeText is what the requests at start are made of: long enough for a block of vLLM's
// prefix cache on a CPU, 128 tokens.
var probeText = strings.Repeat("The cat sat on the mat. Then the dog came and the cat went away; 1, 2, 3.\n", 16)

// learn asks the server what it is, and tries what it can do.
func (e *Engine) learn(ctx context.Context) error {
	a := &e.about
	if err := e.dialect.learn(ctx, a); err != nil {
		return err
	}
	started, err := e.dialect.started(ctx)
	if err != nil {
		return err
	}
	e.trunks.restarted(started)
	if n := a.BlockTokens; n > 0 {
		e.trunks.block = n
	}
	tokenize := e.dialect.tokenize
	if a.TokenizerHash, err = sparkd.TokenizerHash(ctx, tokenize); err != nil {
		return err
	}
	ids, err := tokenize(ctx, probeText, false)
	if err != nil {
		return err
	}
	text, err := e.dialect.detokenize(ctx, ids)
	if err != nil {
		return err
	}
	if a.ContextLength > 0 && len(ids) > a.ContextLength/2 {
		ids = ids[:a.ContextLength/2]
	}
	name, _ := e.Dialect()
	a.Capabilities = sparkd.Capabilities{TokenExact: name != "generic" && len(ids) > 0, Logprobs: sparkd.LogprobsNone, Entropy: sparkd.EntropyNone, Abort: true, Reload: e.reloads(),
		Deterministic: "as far as the server repeats itself: one seed a request, and another batch may round a draw over a border"}
	if text != probeText {
		a.Settings["text_round_trip"] = "differs" // as with tokenizers that put a blank in front
	}
	if len(ids) == 0 {
		return sparkd.Errorf(sparkd.CodeEngine, "%s tokenises a text into nothing", a.Name)
	}
	return e.try(ctx, ids)
}

// try sends the requests that show what Capabilities says.
func (e *Engine) try(ctx context.Context, ids []sparkd.Token) error {
	c := &e.about.Capabilities
	_, top, err := e.first(ctx, ids)
	if err != nil {
		return readable(err)
	}
	c.TopK = top
	// Both of these find the prefix cached, so that it is computed in one way for both.
	at := func(temperature float64) (answer, error) {
		return e.trial(ctx, ask{prefix: ids, n: 1, limit: 2, top: top, sampling: &sparkd.Sampling{Temperature: temperature, MaxTokens: 2}, seed: 1})
	}
	warm, err := at(1)
	if err != nil {
		return readable(err)
	}
	cold, err := at(0.25)
	if err != nil {
		return readable(err)
	}
	c.CachedCounts = cold.counted && cold.cached > 0
	if c.CachedCounts {
		e.about.Settings["cached_of_repeated"] = fmt.Sprintf("%d of %d", cold.cached, len(ids))
	}
	if a, b := warm.choices[0], cold.choices[0]; a.logprobs != nil {
		c.Logprobs = definition(a.tops, b.tops)
		if a.tops != nil {
			c.Entropy = sparkd.EntropyTopK
		}
	}
	pair := ask{prefix: ids, n: 2, limit: 2, top: top, sampling: &sparkd.Sampling{Temperature: 1, MaxTokens: 2}, seed: 2}
	if l, ok := e.dialect.(*llamacpp); ok {
		defer l.slots.forget() // children empty slots, of which the books know only the spare ones
		if len(l.slots.all) < 2 {
			return nil
		}
	}
	got, err := e.trial(ctx, pair)
	c.NativeK = err == nil && len(got.choices) == 2
	if err != nil && sparkd.CodeOf(err) != sparkd.CodeInvalid {
		return readable(err)
	}
	return nil
}

// first sends the first request, with fewer alternatives where the server refuses so many.
func (e *Engine) first(ctx context.Context, ids []sparkd.Token) (answer, int, error) {
	var got answer
	var err error
	for _, top := range []int{e.server.TopLogprobs, 5, 2} {
		got, err = e.trial(ctx, ask{prefix: ids, n: 1, limit: 2, top: top, sampling: &sparkd.Sampling{Temperature: 1, MaxTokens: 2}, seed: 1})
		if sparkd.CodeOf(err) != sparkd.CodeInvalid {
			return got, top, err
		}
	}
	return got, 0, err // refused for something else
}

// trial is one request outside of any sample, whose answer must be whole.
func (e *Engine) trial(ctx context.Context, a ask) (answer, error) {
	if l, ok := e.dialect.(*llamacpp); ok {
		free, err := l.slots.take(ctx, &a, a.n)
		if err != nil {
			return answer{}, err
		}
		defer free()
	}
	got, err := e.dialect.generate(ctx, a)
	if err != nil {
		return got, err
	}
	if len(got.choices) != a.n {
		return got, sparkd.Errorf(sparkd.CodeEngine, "%s returned %d continuations of %d", e.about.Name, len(got.choices), a.n)
	}
	for i := range got.choices {
		if err := got.choices[i].check(e.about.Vocabulary); err != nil {
			return got, sparkd.Errorf(sparkd.CodeEngine, "%s returned a malformed continuation: %v", e.about.Name, err)
		}
	}
	return got, nil
}

// definition says which logprobs the server reports, from the best alternatives of the
// first token at temperatures 1 and 0.25: the raw ones do not depend on it. Where all but
// a hundredth of the mass is on the best token, the next one tells.
func definition(warm, cold [][]float64) sparkd.LogprobKind {
	if len(warm) == 0 || len(cold) == 0 {
		return sparkd.LogprobsNone // nothing says which
	}
	for i := range min(len(warm[0]), len(cold[0]), 2) {
		if math.Abs(warm[0][i]-cold[0][i]) > 0.1 {
			return sparkd.LogprobsSampled
		}
	}
	return sparkd.LogprobsRaw
}
