package embedded

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sparkd"
)

var sharing = Options{PrefixCache: true}

func TestForksEqualIndependentSampling(t *testing.T) {
	for _, share := range []bool{true, false} {
		r := newRig(t, newToy(200), Options{PrefixCache: share})
		for n := 1; n < 40; n += 3 {
			prompt := ids(uint64(n), n)
			prompt[0] = sparkd.Token(n) // unlike any other's
			got := r.sample(ask(prompt, 5, 20, uint64(n)))
			want := n
			if !share {
				want = 5 * n
			}
			if got.PromptTokens != n || got.CachedTokens != 0 || got.ComputedTokens != want {
				t.Fatalf("share=%v: prompt of %d counted as %d cached, %d computed", share, n, got.CachedTokens,
					got.ComputedTokens)
			}
		}
		r.empty()
	}
}

func TestFullHitComputesOneToken(t *testing.T) {
	r := newRig(t, newToy(200), sharing)
	prompt := ids(1, 100)
	r.sample(ask(prompt, 1, 5, 1))
	if got := r.sample(ask(prompt, 8, 5, 2)); got.CachedTokens != 99 || got.ComputedTokens != 1 || got.Forks != 7 {
		t.Fatalf("%+v", got)
	}
	r.empty()
}

// TestAppendedStepsComputeOnlyWhatIsNew grows branched trees that share a preamble, all
// at once, and checks that every step computes its observation and the one token fed
// back, and the preamble is computed once.
func TestAppendedStepsComputeOnlyWhatIsNew(t *testing.T) {
	const trees, preamble, opening, observation = 6, 75, 21, 13
	r := newRig(t, newToy(4000), sharing)
	var pending []*request
	for i := range uint64(trees) {
		s := ask(slices.Concat(ids(0, preamble), []sparkd.Token{sparkd.Token(i)}, ids(i, opening-1)), 3, 12, 10*i)
		s.Tree = fmt.Sprint(i)
		pending = append(pending, r.send(context.Background(), s))
	}
	r.drain()
	computed, unique := 0, preamble+trees*opening
	for step := range 6 {
		var next []*request
		for _, q := range pending {
			r.compare(q)
			computed += q.result.ComputedTokens
			if q.result.CachedTokens+q.result.ComputedTokens != len(q.Prefix) {
				t.Fatalf("%+v", q.result)
			}
			for i, sample := range q.result.Samples {
				seed := sparkd.Mix(q.Seeds[i], uint64(step))
				s := ask(slices.Concat(q.Prefix, sample.Tokens, ids(seed, observation)), 1, 12, seed)
				if s.Tree = q.Tree; seed%4 == 0 {
					s.K, s.Seeds = 2, append(s.Seeds, seed+1)
				}
				next = append(next, r.send(context.Background(), s))
				unique += 1 + observation
			}
		}
		r.drain()
		pending = next
	}
	for _, q := range pending {
		computed += q.result.ComputedTokens
	}
	if computed != unique {
		t.Fatalf("computed %d prompt tokens, %d are unique", computed, unique)
	}
	if s := r.Stats(); s.ComputedTokens != uint64(computed) || s.EvictedTokens != 0 {
		t.Fatalf("%+v", s)
	}
	r.empty()
}

func TestPromptsUnderWayAreNotComputedTwice(t *testing.T) {
	r := newRig(t, newToy(1000), sharing)
	preamble := ids(0, 300)
	var all []*request
	for i := range uint64(8) {
		s := ask(slices.Concat(preamble, []sparkd.Token{sparkd.Token(i)}, ids(i, 9)), 2, 4, i)
		s.Tree = fmt.Sprint(i)
		all = append(all, r.send(context.Background(), s))
	}
	all = append(all, r.send(context.Background(), all[3].SampleRequest)) // the very same prompt
	r.drain()
	for _, q := range all {
		r.compare(q)
	}
	if got, want := r.Stats().ComputedTokens, uint64(300+8*10+1); got != want {
		t.Fatalf("computed %d prompt tokens, want %d", got, want)
	}
	r.empty()
}

func TestFollowerTakesOverWhenTheFirstGivesUp(t *testing.T) {
	r := newRig(t, newToy(1000), Options{PrefixCache: true})
	r.loop.chunk = 16
	ctx, cancel := context.WithCancel(context.Background())
	first := r.send(ctx, ask(ids(0, 300), 1, 4, 0))
	second := r.send(context.Background(), ask(ids(0, 280), 1, 4, 0))
	for range 3 {
		r.tick()
	}
	cancel()
	r.drain()
	r.compare(second)
	if sparkd.CodeOf(first.err) != sparkd.CodeCanceled {
		t.Fatalf("the first ended with %v", first.err)
	}
	if n := second.result.CachedTokens; n != 3*64 {
		t.Fatalf("the second found %d tokens of the first, want those of three forwards", n)
	}
	r.empty()
}

func TestLongPromptStallsNobody(t *testing.T) {
	b := newToy(2000).endless()
	r := newRig(t, b, Options{PrefixCache: true})
	r.loop.chunk = 40
	running := r.send(context.Background(), ask(ids(1, 10), 4, 400, 1))
	r.tick()
	long := ask(ids(2, 4000), 1, 5, 2)
	long.Tree = "long"
	slow := r.send(context.Background(), long)
	small := ask(ids(3, 30), 1, 5, 2)
	small.Tree = "small"
	quick := r.send(context.Background(), small)
	prefills, quickAt := 0, 0
	b.before = func(segs []segment) error {
		decode, prompt := 0, 0
		for _, s := range segs {
			if len(s.tokens) == 1 && s.output {
				decode++
			} else {
				prompt += len(s.tokens)
			}
		}
		if prompt > 0 {
			prefills++
			if decode < 4 || prompt > 40 {
				t.Errorf("a forward with %d prompt tokens advances %d leaves", prompt, decode)
			}
		}
		if quickAt == 0 && decode > 4 {
			quickAt = prefills
		}
		return nil
	}
	r.drain()
	if prefills < 4000/40 || quickAt > 3 {
		t.Errorf("%d forwards with prompt tokens; the small prompt was done after %d", prefills, quickAt)
	}
	for _, q := range []*request{running, slow, quick} {
		r.compare(q)
	}
	r.empty()
}

func TestMoreLeavesThanAForwardTakes(t *testing.T) {
	b := newToy(2000).endless()
	b.size[1], b.size[2] = 16, 8
	r := newRig(t, b, sharing)
	many := r.send(context.Background(), ask(ids(1, 40), 30, 50, 1))
	for len(r.loop.live) < 30 {
		r.tick()
	}
	late := r.send(context.Background(), ask(ids(2, 40), 2, 1, 1))
	for turns := 0; !late.ended; turns++ {
		if turns > 40/(16-6)+1 {
			t.Fatal("leaves that fill every forward starve a prompt")
		}
		r.tick()
	}
	least, most := 50, 0
	for _, s := range many.result.Samples {
		least, most = min(least, len(s.Tokens)), max(most, len(s.Tokens))
	}
	if most-least > 1 {
		t.Errorf("some leaves have %d tokens and others %d", least, most)
	}
	r.drain()
	r.compare(many)
	r.compare(late)
	r.empty()
}

func TestDealIsFairToTrees(t *testing.T) {
	job := func(tree string, n int) *prefill {
		return &prefill{req: &request{SampleRequest: sparkd.SampleRequest{Tree: tree, Prefix: make([]sparkd.Token, n)}}}
	}
	jobs := []*prefill{job("a", 4000), job("a", 50), job("b", 40), job("c", 500)}
	for _, c := range []struct {
		turn, tokens, segs int
		want               []int
	}{
		{0, 96, 9, []int{32, 0, 32, 32}},
		{0, 200, 9, []int{96, 0, 40, 64}},
		{2, 40, 9, []int{8, 0, 0, 32}},
		{1, 96, 1, []int{0, 0, 40, 0}},
		{0, 0, 9, []int{0, 0, 0, 0}},
		{0, 9000, 9, []int{4000, 50, 40, 500}},
	} {
		if got := deal(jobs, c.turn, c.tokens, c.segs); !slices.Equal(got, c.want) {
			t.Errorf("deal(turn %d, %d tokens, %d segments) = %v, want %v", c.turn, c.tokens, c.segs, got, c.want)
		}
	}
}

func TestCapacity(t *testing.T) {
	r := newRig(t, newToy(8), sharing) // 128 cells
	_, err := r.admit(context.Background(), ask(ids(1, 64), 3, 34, 1))
	e := sparkd.AsError(err)
	if e == nil || e.Code != sparkd.CodeCapacity || e.Field != "engine.cells" || !strings.Contains(e.Remedy, "208") {
		t.Fatalf("4 + 3·3 blocks of 8: %v", err)
	}
	// Two that fit one at a time run one after the other; a third is gone before its turn.
	ctx, cancel := context.WithCancel(context.Background())
	a := r.send(context.Background(), ask(ids(1, 64), 2, 33, 1))
	b := r.send(context.Background(), ask(ids(2, 64), 2, 33, 1))
	c := r.send(ctx, ask(ids(3, 64), 2, 33, 1))
	r.tick()
	if s := r.Stats(); s.Running != 1 || s.Waiting != 2 {
		t.Fatalf("%+v", s)
	}
	cancel()
	r.tick()
	if s := r.Stats(); s.Waiting != 1 || sparkd.CodeOf(c.err) != sparkd.CodeCanceled {
		t.Fatalf("%+v, %v", s, c.err)
	}
	r.drain()
	r.compare(a)
	r.compare(b)
	if s := r.Stats(); s.EvictedTokens == 0 {
		t.Fatal("nothing was evicted")
	}
	r.empty()
}

// TestFragmentedPrefixIsGivenUp has a cached prefix of which every token lies in a block
// of its own, so that a continuation which fits alone does not fit beside it.
func TestFragmentedPrefixIsGivenUp(t *testing.T) {
	r := newRig(t, newToy(8), sharing)
	prefix := ids(1, 1)
	for i := range uint64(7) {
		r.sample(ask(prefix, 1, 1, i))
		// Another token takes the next cell, so the one that follows below starts a block.
		r.sample(ask(append(slices.Clone(prefix), 58), 1, 1, i))
		prefix = append(prefix, ids(7+i, 1)...)
	}
	got := r.sample(ask(append(prefix, 5), 1, 110, 9))
	if got.CachedTokens != 0 || got.ComputedTokens != len(prefix)+1 {
		t.Fatalf("%+v", got)
	}
	r.empty()
}

func TestEvictsTheOldestFirst(t *testing.T) {
	r := newRig(t, newToy(12), sharing)
	a, b, c := ids(1, 48), ids(2, 48), ids(3, 48)
	for _, p := range [][]sparkd.Token{a, b, c} {
		r.sample(ask(p, 1, 1, 0))
	}
	r.sample(ask(a, 1, 1, 0))          // a is used again
	r.sample(ask(ids(4, 80), 1, 1, 0)) // room for this is made by b alone
	for _, x := range []struct {
		prompt []sparkd.Token
		cached int
	}{{a, 47}, {c, 47}, {b, 0}} {
		if got := r.sample(ask(x.prompt, 1, 1, 0)); got.CachedTokens != x.cached {
			t.Errorf("prompt %v…: %d tokens cached, want %d", x.prompt[:3], got.CachedTokens, x.cached)
		}
	}
	r.empty()
}

func TestSeedsDecideWhateverRunsBeside(t *testing.T) {
	var want string
	for run := range uint64(8) {
		random := rand.New(rand.NewPCG(run, 3))
		r := newRig(t, newToy(400), Options{PrefixCache: run%2 == 0})
		r.loop.chunk = 1 + random.IntN(60)
		calls := make([]*request, 6)
		for _, i := range random.Perm(len(calls)) {
			s := ask(slices.Concat(ids(0, 40), ids(uint64(i), 10+i)), 3, 25, uint64(i))
			s.Tree = fmt.Sprint(i % 3)
			calls[i] = r.send(context.Background(), s)
			for range random.IntN(5) {
				r.tick()
			}
		}
		r.drain()
		var got strings.Builder
		for _, q := range calls {
			fmt.Fprintln(&got, q.err, q.result.Samples)
		}
		if run == 0 {
			want = got.String()
		} else if got.String() != want {
			t.Fatalf("run %d differs", run)
		}
	}
}

func TestBrokenLogitsAreAnError(t *testing.T) {
	b := newToy(100)
	r := newRig(t, b, sharing)
	b.spoil = func(x []float32) { x[7] = float32(math.NaN()) }
	q := r.send(context.Background(), ask(ids(1, 5), 3, 5, 1))
	r.drain()
	if sparkd.CodeOf(q.err) != sparkd.CodeEngine {
		t.Fatalf("%v", q.err)
	}
	r.empty()
}

func TestContextFull(t *testing.T) {
	b := newToy(100).endless()
	b.context = 50
	r := newRig(t, b, sharing)
	got := r.sample(ask(ids(1, 45), 2, 10, 1))
	for _, s := range got.Samples {
		if s.Finish != sparkd.FinishFull || len(s.Tokens) != 5 {
			t.Fatalf("%+v", s)
		}
	}
	if _, err := r.admit(context.Background(), ask(ids(1, 50), 1, 1, 1)); sparkd.CodeOf(err) != sparkd.CodeContext {
		t.Fatal(err)
	}
	r.empty()
}
