package enginetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/prefixcache"
)

func (s *suite) describe(t *testing.T) {
	i, c := &s.info, &s.info.Capabilities
	if i.Name == "" || i.Model == "" || i.PolicyVersion == "" {
		t.Errorf("name %q, model %q, policy version %q", i.Name, i.Model, i.PolicyVersion)
	}
	if !c.Logprobs.Known() || !c.Entropy.Known() || c.Deterministic == "" {
		t.Errorf("capabilities %+v", c)
	}
	if c.TokenExact && i.ContextLength < 1 {
		t.Error("no context length")
	}
}

func (s *suite) roundTrip(t *testing.T) {
	for _, text := range []string{"a", "Hello world, this is a test.", " two  blanks\n\nand\tmore 12345",
		"naïve café 東京 🙂", "<action>go to shelf 1</action>"} {
		ids := s.tokens(t, text, false)
		if got := s.text(t, ids); got != text {
			t.Errorf("%q becomes %v, and then %q", text, ids, got)
		}
	}
	if ids := s.tokens(t, "", false); len(ids) != 0 {
		t.Errorf("nothing becomes %v", ids)
	}
}

// controlText: what an environment wrote never becomes a control token, though it spells
// one; what a template wrote does.
func (s *suite) controlText(t *testing.T) {
	if !s.info.Capabilities.TokenExact {
		t.Skip("the engine has no tokens of the model")
	}
	for _, id := range []sparkd.Token{s.info.EOS, s.info.EOT, s.info.BOS} {
		if id < 0 {
			continue
		}
		word := s.text(t, []sparkd.Token{id})
		if got := s.tokens(t, word, true); !slices.Equal(got, []sparkd.Token{id}) {
			t.Errorf("%q of a template becomes %v instead of %d", word, got, id)
		}
		text := "You see " + word + " and" + word + word + "."
		got := s.tokens(t, text, false)
		if slices.Contains(got, id) {
			t.Errorf("%q of an environment becomes control token %d: %v", text, id, got)
		}
		if back := s.text(t, got); back != text {
			t.Errorf("%q becomes %v, and then %q", text, got, back)
		}
	}
}

func (s *suite) samples(t *testing.T) {
	for _, k := range []int{1, 3} {
		got := s.sample(t, s.request(s.prompt, k, 1, 11))
		for i, x := range got.Samples {
			tokens := x.Tokens
			if x.Finish == sparkd.FinishStop && s.info.Capabilities.TokenExact {
				tokens = tokens[:len(tokens)-1]
			}
			if want := s.text(t, tokens); plain(want) && x.Text != want {
				t.Errorf("continuation %d of %d: text %q of tokens that spell %q", i, k, x.Text, want)
			}
			if x.Finish == sparkd.FinishFull {
				t.Errorf("the context is not full: %+v", x)
			}
		}
	}
}

func (s *suite) greedy(t *testing.T) {
	one := s.sample(t, s.request(s.prompt, 1, 0, 21)).Samples[0]
	many := s.sample(t, s.request(s.prompt, 3, 0, 22)).Samples
	for i, x := range many {
		if !slices.Equal(x.Tokens, one.Tokens) || x.Text != one.Text {
			t.Errorf("greedy continuation %d is %v; alone it was %v", i, x.Tokens, one.Tokens)
		}
	}
	s.near(t, "greedy", one.Logprobs, many[0].Logprobs)
}

// near compares logprobs of the same tokens.
func (s *suite) near(t *testing.T, what string, a, b []float32) {
	t.Helper()
	for i := range min(len(a), len(b)) {
		if math.Abs(float64(a[i]-b[i])) > s.Tolerance {
			t.Errorf("%s: logprob %d is %v and %v", what, i, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %d and %d logprobs", what, len(a), len(b))
	}
}

// teacherForced computes the logprobs of a greedy continuation a second time, each with a
// request of its own whose prompt is the continuation so far.
func (s *suite) teacherForced(t *testing.T) {
	c := &s.info.Capabilities
	if !c.TokenExact || !c.Logprobs.Has() || c.Logprobs == sparkd.LogprobsSampled {
		t.Skip("the engine has no raw logprobs")
	}
	whole := s.sample(t, s.request(s.prompt, 1, 0, 31)).Samples[0]
	var forced []float32
	for i := range min(len(whole.Tokens), 6) {
		r := s.request(slices.Concat(s.prompt, whole.Tokens[:i]), 1, 0, 32)
		r.Sampling.MaxTokens = 1
		x := s.sample(t, r).Samples[0]
		if x.Tokens[0] != whole.Tokens[i] {
			t.Logf("token %d is %d instead of %d: a tie within rounding", i, x.Tokens[0], whole.Tokens[i])
			break
		}
		forced = append(forced, x.Logprobs[0])
	}
	if len(forced) == 0 {
		t.Fatal("nothing was compared")
	}
	s.near(t, "teacher forced", whole.Logprobs[:len(forced)], forced)
}

func (s *suite) distinct(t *testing.T) {
	got := s.sample(t, s.request(s.prompt, 4, 1, 41))
	seen := map[string]bool{}
	for _, x := range got.Samples {
		seen[fmt.Sprint(x.Tokens)] = true
	}
	if len(seen) < 3 {
		t.Errorf("%d different continuations of 4 at temperature 1", len(seen))
	}
}

// draws: k continuations are k draws, whatever their seeds are and however many they are.
func (s *suite) draws(t *testing.T) {
	if s.Recorded {
		t.Skip("a recording has no such requests")
	}
	for name, seed := range map[string]func(i uint64) uint64{
		"from 0":             func(i uint64) uint64 { return i },
		"around 31 bits":     func(i uint64) uint64 { return math.MaxInt32 - 2 + i },
		"alike below bit 31": func(i uint64) uint64 { return i << 31 },
		"alike below bit 32": func(i uint64) uint64 { return i<<32 | 5 },
		"beyond 53 bits":     func(i uint64) uint64 { return i << 54 },
		"from the top":       func(i uint64) uint64 { return math.MaxUint64 - i },
	} {
		r := s.request(s.prompt, 5, 1, 0)
		for i := range r.Seeds {
			r.Seeds[i] = seed(uint64(i))
		}
		seen := map[string]bool{}
		for _, x := range s.sample(t, r).Samples {
			seen[fmt.Sprint(x.Tokens)] = true
		}
		if len(seen) != r.K {
			t.Errorf("seeds %s: %d different continuations of %d", name, len(seen), r.K)
		}
	}
}

// stopString ends a greedy continuation at a string of two characters that it contains.
func (s *suite) stopString(t *testing.T) {
	whole := s.sample(t, s.request(s.prompt, 1, 0, 51)).Samples[0]
	odd := func(c rune) bool { return c < ' ' || c > '~' }
	stop, at := "", 0
	for i := 1; i+2 < len(whole.Text); i++ { // not at once, and whole ASCII characters alone
		if w := whole.Text[i : i+2]; !strings.ContainsFunc(w, odd) && strings.Index(whole.Text, w) == i {
			stop, at = w, i+2
			break
		}
	}
	if stop == "" {
		t.Skipf("no string to stop at in %q", whole.Text)
	}
	r := s.request(s.prompt, 1, 0, 51)
	r.Sampling.Stop = []string{"never to be seen", stop}
	x := s.sample(t, r).Samples[0]
	if s.info.Capabilities.TokenExact {
		if x.Text != whole.Text[:at] || x.Finish != sparkd.FinishStop {
			t.Errorf("stop %q in %q: %q, %s", stop, whole.Text, x.Text, x.Finish)
		}
		if n := len(x.Tokens); !slices.Equal(x.Tokens, whole.Tokens[:n]) ||
			!strings.Contains(s.text(t, x.Tokens), stop) {
			t.Errorf("stop %q: tokens %v of %v", stop, x.Tokens, whole.Tokens)
		}
	} else if !strings.HasPrefix(whole.Text, x.Text) || len(x.Text) > at || x.Finish != sparkd.FinishStop {
		t.Errorf("stop %q in %q: %q, %s", stop, whole.Text, x.Text, x.Finish)
	}
	if whole.Logprobs != nil {
		s.near(t, "up to a stop string", whole.Logprobs[:len(x.Tokens)], x.Logprobs)
	}
}

// stopToken ends a greedy continuation at its third token.
func (s *suite) stopToken(t *testing.T) {
	if !s.info.Capabilities.TokenExact {
		t.Skip("the engine has no tokens of the model")
	}
	whole := s.sample(t, s.request(s.prompt, 1, 0, 61)).Samples[0]
	i := min(2, len(whole.Tokens)-1)
	i = slices.Index(whole.Tokens, whole.Tokens[i])
	r := s.request(s.prompt, 1, 0, 61)
	r.Sampling.StopTokenIDs = []sparkd.Token{whole.Tokens[i]}
	x := s.sample(t, r).Samples[0]
	if !slices.Equal(x.Tokens, whole.Tokens[:i+1]) || x.Finish != sparkd.FinishStop {
		t.Fatalf("stop at %d: %v, %s", whole.Tokens[i], x.Tokens, x.Finish)
	}
	if want := s.text(t, whole.Tokens[:i]); plain(want) && x.Text != want {
		t.Errorf("text %q, want %q", x.Text, want)
	}
}

func (s *suite) maxTokens(t *testing.T) {
	if !s.info.Capabilities.TokenExact {
		t.Skip("the engine counts in tokens that it does not tell")
	}
	for _, n := range []int{1, 5} {
		r := s.request(s.prompt, 2, 1, 71)
		r.Sampling.MaxTokens = n
		for _, x := range s.sample(t, r).Samples {
			if len(x.Tokens) != n && x.Finish != sparkd.FinishStop {
				t.Errorf("%d tokens of %d, %s", len(x.Tokens), n, x.Finish)
			}
		}
	}
}

// context fills the model's context to the end, and overfills it.
func (s *suite) context(t *testing.T) {
	n := s.info.ContextLength
	if n == 0 || n > 8192 {
		t.Skipf("a context of %d tokens is not filled here", n)
	}
	long := make([]sparkd.Token, 0, n+8)
	for len(long) < n+8 {
		long = append(long, s.prompt...)
	}
	r := s.request(long[:n-4], 1, 1, 81)
	for range 5 { // a model that ends by itself is asked again
		if x := s.sample(t, r).Samples[0]; x.Finish != sparkd.FinishStop {
			if len(x.Tokens) > 4 || x.Finish != sparkd.FinishFull {
				t.Errorf("4 tokens before the end of the context: %d tokens, %s", len(x.Tokens), x.Finish)
			}
			break
		}
		r.Seeds[0]++
	}
	for _, over := range []int{0, 8} {
		_, err := s.e.Sample(s.ctx(t), s.request(long[:n+over], 1, 1, 82))
		if sparkd.CodeOf(err) != sparkd.CodeContext {
			t.Errorf("%d tokens beyond the context: %v", over, err)
		}
	}
}

// counts: what is asked for again is reported as cached.
func (s *suite) counts(t *testing.T) {
	var long []sparkd.Token
	for len(long) < 300 {
		long = append(long, s.prompt...)
	}
	first := s.sample(t, s.request(long, 1, 1, 91))
	again := s.sample(t, s.request(long, 3, 1, 92))
	for _, got := range []sparkd.SampleResult{first, again} {
		if got.CachedTokens < 0 || got.CachedTokens > got.PromptTokens ||
			got.ComputedTokens+got.CachedTokens < got.PromptTokens {
			t.Errorf("cached %d, computed %d of %d", got.CachedTokens, got.ComputedTokens, got.PromptTokens)
		}
	}
	if again.Forks != 2 {
		t.Errorf("%d forks", again.Forks)
	}
	if s.info.Capabilities.CachedCounts && again.CachedTokens < 128 {
		t.Errorf("%d of %d tokens were cached the second time", again.CachedTokens, again.PromptTokens)
	}
	t.Logf("the same %d tokens: cached %d, computed %d; then for 3 continuations: cached %d, computed %d", len(long),
		first.CachedTokens, first.ComputedTokens, again.CachedTokens, again.ComputedTokens)
}

// siblings run at once, each as it does alone.
func (s *suite) siblings(t *testing.T) {
	prefixes := make([][]sparkd.Token, 6)
	for i := range prefixes {
		prefixes[i] = slices.Concat(s.prompt, s.tokens(t, fmt.Sprintf(" number %d,", i), false))
	}
	results := make([]sparkd.SampleResult, len(prefixes))
	var wg sync.WaitGroup
	for i, p := range prefixes {
		wg.Go(func() {
			var err error
			if results[i], err = s.e.Sample(s.ctx(t), s.request(p, 1+i%2, 0, uint64(100+i))); err != nil {
				t.Errorf("sibling %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, p := range prefixes {
		r := s.request(p, 1, 0, uint64(100+i))
		alone := s.sample(t, r).Samples[0]
		n := 0
		for _, x := range results[i].Samples {
			if err := s.wellFormed(&x, &r); err != nil {
				t.Errorf("sibling %d: %v", i, err)
			}
			n = max(n, prefixcache.Common(x.Tokens, alone.Tokens))
		}
		// Nearer ones are ties within rounding.
		if n == 0 && (alone.Margins == nil || float64(alone.Margins[0]) > 4*s.Tolerance) {
			t.Errorf("sibling %d began with %v; alone %v", i, results[i].Samples[0].Tokens, alone.Tokens)
		}
	}
}

func (s *suite) badRequests(t *testing.T) {
	for field, change := range map[string]func(*sparkd.SampleRequest){
		"prefix":               func(r *sparkd.SampleRequest) { r.Prefix = nil },
		"prefix[0]":            func(r *sparkd.SampleRequest) { r.Prefix = []sparkd.Token{-1} },
		"k":                    func(r *sparkd.SampleRequest) { r.K = 0 },
		"seeds":                func(r *sparkd.SampleRequest) { r.Seeds = nil },
		"sampling.temperature": func(r *sparkd.SampleRequest) { r.Sampling.Temperature = -1 },
		"sampling.max_tokens":  func(r *sparkd.SampleRequest) { r.Sampling.MaxTokens = 0 },
	} {
		r := s.request(s.prompt, 1, 1, 1)
		change(&r)
		_, err := s.e.Sample(s.ctx(t), r)
		if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeInvalid || e.Field != field || e.Remedy == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// cancel gives up a long request: the caller gets its answer at once, and the server is free for others.
func (s *suite) cancel(t *testing.T) {
	ctx, cancel := context.WithTimeout(s.ctx(t), 300*time.Millisecond)
	defer cancel()
	r := s.request(s.prompt, 1, 1, 111)
	r.Sampling.MaxTokens = max(16, min(4000, s.info.ContextLength-len(s.prompt)-1))
	began := time.Now()
	_, err := s.e.Sample(ctx, r)
	if err == nil {
		t.Log("the whole request was quicker than its deadline")
	} else if code := sparkd.CodeOf(err); code != sparkd.CodeDeadline && code != sparkd.CodeCanceled {
		t.Errorf("given up: %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the caller waited for %v", took)
	}
	cancel()
	_, err = s.e.Sample(ctx, r)
	if code := sparkd.CodeOf(err); code != sparkd.CodeDeadline && code != sparkd.CodeCanceled {
		t.Errorf("a context that has ended: %v", err)
	}
	if s.Running != nil && s.info.Capabilities.Abort {
		s.idle(t)
	}
	s.sample(t, s.request(s.prompt, 1, 1, 112))
}

// idle waits until the server works on nothing. It asks seldom: llama-server checks for
// callers that went away when it had nothing to answer for a second.
func (s *suite) idle(t *testing.T) {
	ctx := s.ctx(t)
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		n, err := s.Running(ctx)
		if err != nil || n == 0 {
			if err != nil {
				t.Errorf("the server does not say what runs: %v", err)
			}
			return
		}
		select {
		case <-ctx.Done():
			t.Errorf("%d requests still run %v after they were given up", n, time.Since(began))
			return
		case <-tick.C:
		}
	}
}
