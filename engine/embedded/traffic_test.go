package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sparkd"
)

// TestRandomTraffic sends, cancels and fails requests at random under too few cells,
// checks the books after every turn and every answer against the reference.
func TestRandomTraffic(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { randomTraffic(t, seed) })
	}
}

func randomTraffic(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	b := newToy(24 + random.IntN(100))
	r := newRig(t, b, Options{PrefixCache: seed%5 != 0})
	r.loop.chunk = 1 + random.IntN(50)
	b.before = func([]segment) error {
		if random.IntN(40) == 0 {
			return errors.New("broken on purpose")
		}
		return nil
	}
	type call struct {
		*request
		cancel context.CancelFunc
	}
	var calls []call
	prompts := [][]sparkd.Token{ids(1, 20)}
	for range 150 {
		if random.IntN(2) == 0 {
			p := prompts[random.IntN(len(prompts))]
			p = slices.Concat(p[:1+random.IntN(len(p))], ids(random.Uint64N(3), random.IntN(30)))
			s := ask(p, 1+random.IntN(4), 1+random.IntN(30), random.Uint64N(4))
			s.Tree = fmt.Sprint(random.IntN(4))
			ctx, cancel := context.WithCancel(context.Background())
			t.Cleanup(cancel)
			if q, err := r.admit(ctx, s); err == nil {
				r.loop.enqueue(q)
				calls = append(calls, call{q, cancel})
			} else if sparkd.CodeOf(err) != sparkd.CodeCapacity {
				t.Fatal(err)
			}
		}
		for range random.IntN(4) {
			r.tick()
		}
		if len(calls) > 0 && random.IntN(10) == 0 {
			calls[random.IntN(len(calls))].cancel()
		}
		for _, q := range calls {
			if q.ended && q.err == nil {
				out := q.result.Samples[0].Tokens
				prompts = append(prompts, slices.Concat(q.Prefix, out)[:min(len(q.Prefix)+len(out), 90)])
			}
		}
		prompts = prompts[max(0, len(prompts)-20):]
	}
	r.drain()
	good := 0
	for _, q := range calls {
		switch code := sparkd.CodeOf(q.err); code {
		case "":
			good++
			r.compare(q.request)
			if n := q.result.CachedTokens + q.result.ComputedTokens; b.forwards > 0 && r.loop.cells.index != nil &&
				n != len(q.Prefix) {
				t.Fatalf("%+v", q.result)
			}
		case sparkd.CodeCanceled, sparkd.CodeEngine:
		default:
			t.Fatal(q.err)
		}
	}
	if good < len(calls)/4 {
		t.Errorf("only %d of %d requests were answered", good, len(calls))
	}
	r.empty()
}
