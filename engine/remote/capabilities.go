package remote

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"sparkd"
)

// ProbeText is what the requests at start are made of: long enough for a block of vLLM's
// prefix cache on a CPU, 128 tokens.
var ProbeText = strings.Repeat("The cat sat on the mat. Then the dog came and the cat went away; 1, 2, 3.\n", 16)

// TopLogprobs is how many alternatives per token servers are asked for, for entropy and
// margin. One that refuses so many is asked for fewer.
const TopLogprobs = 20

// describe asks the server what it is, and tries what it can do.
func (e *Engine) describe(ctx context.Context, probe string) error {
	a := &e.about
	*a = sparkd.EngineInfo{Name: e.http.Name(), BOS: -1, EOS: -1, EOT: -1, Settings: map[string]any{}}
	if err := e.server.Describe(ctx, a); err != nil {
		return err
	}
	if _, err := e.server.Restarted(ctx); err != nil {
		return err
	}
	e.resident = newResident(a.BlockTokens)
	ids, err := e.roundTrip(ctx, probe)
	if err != nil {
		return err
	}
	c := &a.Capabilities
	c.Logprobs, c.Entropy, c.Abort = sparkd.LogprobsNone, sparkd.EntropyNone, true
	_, c.Reload = e.server.(Reloader)
	if c.Deterministic == "" {
		c.Deterministic = "as far as the server repeats itself: " +
			"one seed a request, and another batch may round a draw over a border"
	}
	if err := e.verify(ctx, ids); err != nil {
		return err
	}
	if s, ok := e.server.(interface{ Alias() string }); ok && s.Alias() != "" {
		a.Settings["answers_as"] = s.Alias()
		a.Warnings = append(a.Warnings, fmt.Sprintf("%s answers as %q to requests for %q: if that is another model, "+
			"correct engine.served_model", a.Name, s.Alias(), a.Model))
	}
	return nil
}

// roundTrip has the server tokenise a text and spell it again.
func (e *Engine) roundTrip(ctx context.Context, probe string) (ids []sparkd.Token, err error) {
	a := &e.about
	if a.TokenizerHash, err = sparkd.TokenizerHash(ctx, e.server.Tokenize); err != nil {
		return nil, err
	}
	if ids, err = e.server.Tokenize(ctx, probe, false); err != nil {
		return nil, err
	}
	text, err := e.server.Detokenize(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, sparkd.Errorf(sparkd.CodeEngine, "%s tokenises a text into nothing", a.Name)
	}
	if text != probe {
		a.Settings["text_round_trip"] = "differs" // as with tokenizers that put a blank in front
	}
	if a.ContextLength > 0 && len(ids) > a.ContextLength/2 {
		ids = ids[:a.ContextLength/2]
	}
	return ids, nil
}

// verify sends the requests that show what Capabilities says.
func (e *Engine) verify(ctx context.Context, ids []sparkd.Token) error {
	c := &e.about.Capabilities
	var err error
	if c.TopK, err = e.alternatives(ctx, ids); err != nil {
		return err
	}
	// Both of these find the prefix cached, so that it is computed in one way for both.
	warm, err := e.attempt(ctx, probeAsk(ids, 1, c.TopK, 1))
	if err != nil {
		return err
	}
	cold, err := e.attempt(ctx, probeAsk(ids, 0.25, c.TopK, 1))
	if err != nil {
		return err
	}
	if c.CachedCounts = cold.Counted && cold.Cached > 0; c.CachedCounts {
		e.about.Settings["cached_of_repeated"] = fmt.Sprintf("%d of %d", cold.Cached, len(ids))
	}
	if a, b := warm.Choices[0], cold.Choices[0]; a.Logprobs != nil {
		c.Logprobs = definition(a.Tops, b.Tops)
		if a.Tops != nil {
			c.Entropy = sparkd.EntropyTopK
		}
	}
	e.most.Store(1)
	if !c.NativeK {
		return nil
	}
	if c.NativeK, err = e.siblings(ctx, ids); c.NativeK {
		e.most.Store(sparkd.MaxLeaves)
	}
	return err
}

// siblings tries whether one request can have two continuations that are two draws. They may begin alike behind a
// text that says how to go on, so those that do are drawn again behind a single token.
func (e *Engine) siblings(ctx context.Context, ids []sparkd.Token) (bool, error) {
	ask := probeAsk(ids, 1, e.about.Capabilities.TopK, 2, 3)
	if two, err := e.two(ctx, ask); two == nil || err != nil {
		return false, err
	} else if !slices.Equal(two[0].Tokens, two[1].Tokens) || !e.server.FansOut() {
		return true, nil
	}
	ask.Prefix, ask.Limit = ids[:1], 32
	ask.Sampling = &sparkd.Sampling{Temperature: 1, MaxTokens: ask.Limit}
	two, err := e.two(ctx, ask)
	return two != nil && !slices.Equal(two[0].Tokens, two[1].Tokens), err
}

// two asks for two continuations in one request; nil where the server does not return them.
func (e *Engine) two(ctx context.Context, a Ask) ([]Choice, error) {
	got, err := e.server.Generate(ctx, a)
	if refused(err) || err == nil && len(got.Choices) < 2 {
		return nil, nil
	}
	for i := range got.Choices {
		if got.Choices[i].check(e.about.Vocabulary) != nil {
			return nil, nil
		}
	}
	return got.Choices, err
}

func probeAsk(ids []sparkd.Token, temperature float64, top int, seeds ...uint64) Ask {
	return Ask{Prefix: ids, Seeds: seeds, Limit: 2, Top: top,
		Sampling: &sparkd.Sampling{Temperature: temperature, MaxTokens: 2}}
}

// alternatives sends the first request, with fewer alternatives where the server refuses so
// many, and returns how many it takes.
func (e *Engine) alternatives(ctx context.Context, ids []sparkd.Token) (top int, err error) {
	for _, top := range []int{TopLogprobs, 5, 2} {
		if _, err = e.attempt(ctx, probeAsk(ids, 1, top, 1)); sparkd.CodeOf(err) != sparkd.CodeInvalid {
			return top, err
		}
	}
	return 0, err // refused for something else
}

// attempt sends one request, whose answer must be whole.
func (e *Engine) attempt(ctx context.Context, a Ask) (Answer, error) {
	got, err := e.server.Generate(ctx, a)
	if err == nil && len(got.Choices) < len(a.Seeds) {
		err = e.incomplete(len(got.Choices), len(a.Seeds))
	}
	for i := 0; err == nil && i < len(got.Choices); i++ {
		err = e.malformed(got.Choices[i].check(e.about.Vocabulary))
	}
	return got, err
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
