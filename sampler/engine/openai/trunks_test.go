package openai

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
)

// numbers are the ids from first on.
func numbers(first, n int) []sparkd.Token {
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = sparkd.Token(first + i)
	}
	return out
}

// after is a prefix of n ids whose first ones are shared.
func after(shared []sparkd.Token, first, n int) []sparkd.Token {
	return append(append([]sparkd.Token(nil), shared...), numbers(first, n)...)
}

// Who needs a prefix waits for a trunk that has at least half of what is to be computed, and
// for no other.
func TestTrunksAreWaitedFor(t *testing.T) {
	preamble := numbers(0, 512)
	for name, c := range map[string]struct {
		prefix []sparkd.Token
		waits  bool
		held   int // once it goes on
	}{
		"the same preamble": {after(preamble, 5000, 200), true, 512},
		"the same prefix":   {after(preamble, 1000, 200), true, 704},
		"a short beginning": {after(preamble[:48], 5000, 10), false, 0},
		"a small share":     {after(preamble, 5000, 600), false, 0},
		"another prefix":    {numbers(9000, 700), false, 0},
		"a short prefix":    {after(preamble[:290], 5000, 10), false, 0},
	} {
		for _, k := range []int{1, 4} {
			synctest.Test(t, func(t *testing.T) {
				trunks := newTrunks()
				first := after(preamble, 1000, 200)
				_, _, arrived, err := trunks.claim(t.Context(), first, 4)
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				time.AfterFunc(time.Second, func() {
					trunks.add(first)
					arrived()
				})
				held, _, done, err := trunks.claim(t.Context(), c.prefix, k)
				if err != nil || held != c.held {
					t.Errorf("%s: %d held, want %d; %v", name, held, c.held, err)
				}
				if waited := time.Since(begun) > 0; waited != c.waits {
					t.Errorf("%s: waited: %t", name, waited)
				}
				done()
				synctest.Wait()
				time.Sleep(2 * time.Second)
				trunks.mu.Lock()
				defer trunks.mu.Unlock()
				if len(trunks.coming) != 0 {
					t.Errorf("%s: %d trunks are left", name, len(trunks.coming))
				}
			})
		}
	}
}

// Where a trunk does not come, one of those who waited has it computed, and the rest wait
// for that one.
func TestTrunkThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trunks, prefix := newTrunks(), numbers(0, 700)
		_, _, arrived, err := trunks.claim(t.Context(), prefix, 4)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var held []int
		for range 3 {
			go func() {
				n, _, done, err := trunks.claim(t.Context(), prefix, 4)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				held = append(held, n)
				mu.Unlock()
				time.Sleep(time.Second)
				trunks.add(prefix)
				done()
			}()
		}
		synctest.Wait()
		arrived()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if whole := trunks.whole(prefix); len(held) != 3 || held[0] != 0 || held[1] != whole || held[2] != whole {
			t.Errorf("%v", held)
		}
	})
}

// Who gives up waits no longer.
func TestTrunkGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trunks, prefix := newTrunks(), numbers(0, 700)
		_, _, arrived, err := trunks.claim(t.Context(), prefix, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer arrived()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, _, err := trunks.claim(ctx, prefix, 4); sparkd.CodeOf(err) != sparkd.CodeOf(sparkd.AsError(context.DeadlineExceeded)) {
			t.Errorf("%v", err)
		}
	})
}

// A prefix is computed first where siblings would compute much of it again, and only there.
func TestTrunkWorthItsRequest(t *testing.T) {
	trunks, prefix := newTrunks(), numbers(0, 700)
	trunks.least = minTrunk
	for _, c := range []struct {
		held, k  int
		resident bool
	}{{0, 1, true}, {0, 2, false}, {0, 8, false}, {512, 2, true}, {512, 3, true}, {512, 4, false}, {640, 8, true}, {640, 12, false}, {700, 64, true}} {
		trunks.forget()
		trunks.add(prefix[:min(c.held+1, 700)])
		held, resident, arrived, err := trunks.claim(t.Context(), prefix, c.k)
		if err != nil || held != c.held/16*16 || resident != c.resident {
			t.Errorf("%+v: %d held, resident %t, %v", c, held, resident, err)
			continue
		}
		arrived()
	}
}
