package llamaserver

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"sparkd"
	"sparkd/engine/remote"
)

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		name         string
		n, most      int // of greedy ones n is 1
		copies, cold bool
		want         remote.Plan
	}{
		{"greedy", 1, 4, false, false, remote.Plan{Each: 1}},
		{"fork", 4, 5, false, false, remote.Plan{Each: 4}},
		{"fork in two requests", 8, 5, false, false, remote.Plan{Each: 5}},
		{"siblings on one slot", 8, 1, false, false, remote.Plan{Each: 1}},
		{"warm, then copies", 4, 1, true, true, remote.Plan{Warm: true, Each: 1, AtOnce: true}},
		{"warm, then copies, resident", 4, 1, true, false, remote.Plan{Warm: true, Each: 1, AtOnce: true}},
		{"warm, then single", 1, 1, true, true, remote.Plan{Warm: true, Each: 1}},
		{"single", 1, 1, true, false, remote.Plan{Each: 1}},
	} {
		if got := plan(c.n, c.most, c.copies, c.cold); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// path is n tokens that no other seed has, behind the prefix.
func path(prefix []sparkd.Token, seed, n int) []sparkd.Token {
	out := slices.Clone(prefix)
	for i := range n {
		out = append(out, sparkd.Token(seed*10000+i))
	}
	return out
}

func TestSlotsFollowPaths(t *testing.T) {
	s := newSlots(8, nil)
	if s.most() != 5 {
		t.Fatalf("%d continuations a request", s.most())
	}
	step := func(prefix []sparkd.Token) int {
		p, free, err := s.acquire(t.Context(), prefix, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.filled(p.slot, prefix)
		free()
		return p.slot
	}
	roots := make([][]sparkd.Token, 3)
	at := make([]int, 3)
	for i := range roots {
		roots[i] = path(nil, i+1, 100)
		at[i] = step(roots[i])
	}
	if at[0] == at[1] || at[1] == at[2] || at[0] == at[2] || slices.Min(at) < 4 {
		t.Fatalf("three roots are in slots %v", at)
	}
	for round := range 5 { // each goes on where it is
		for i := range roots {
			roots[i] = path(roots[i], 10*round+i, 30)
			if got := step(roots[i]); got != at[i] {
				t.Errorf("round %d: root %d moved from slot %d to %d", round, i, at[i], got)
			}
		}
	}
	fork := path(roots[0][:200], 99, 30) // leaves root 0 behind its 200th token
	got := step(fork)
	if slices.Contains(at, got) {
		t.Errorf("a fork took slot %d from a path, though one was free", got)
	}
	if again := step(path(fork, 98, 10)); again != got {
		t.Errorf("the fork moved from slot %d to %d", got, again)
	}
}

// Whatever is asked, two requests never have one slot, and all come to an end.
func TestSlotsAreNeverShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(6, nil)
		holders := make([]int, 6)
		turn := make(chan struct{}, 1)
		turn <- struct{}{}
		for i := range 200 {
			go func() {
				r := rand.New(rand.NewPCG(uint64(i), 5))
				prefix := path(nil, r.IntN(9), 1+r.IntN(100))
				a, free, err := s.acquire(t.Context(), prefix, 1+r.IntN(s.most()))
				if err != nil {
					t.Error(err)
					return
				}
				<-turn
				if holders[a.slot]++; holders[a.slot] != 1 {
					t.Errorf("slot %d has %d requests", a.slot, holders[a.slot])
				}
				turn <- struct{}{}
				s.filled(a.slot, prefix)
				<-turn
				holders[a.slot]--
				turn <- struct{}{}
				free()
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var frees []func()
		for range 3 {
			_, free, err := s.acquire(ctx, path(nil, 1, 3), 1)
			if err != nil {
				t.Fatal(err)
			}
			frees = append(frees, free)
		}
		cancel()
		if _, _, err := s.acquire(ctx, path(nil, 1, 3), 1); sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Errorf("a full server, canceled: %v", err)
		}
		for _, free := range frees {
			free()
		}
	})
}
