package llamaserver

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"

	"sparkd"
	"sparkd/prefixcache"
)

// slots keeps books on what the slots of a llama-server hold, so that every path of a tree
// goes on where its cells are. Each request names its slot.
//
// Where slots can be saved, every path has a slot, and what two paths begin with in common is computed in one and
// copied to the other. Else the k continuations of a prefix go in one request (n_cmpl), whose children the server
// puts into the first slots that are idle, and empties afterwards; therefore the first ones are spare then, left
// to children alone.
type slots struct {
	places   *semaphore.Weighted // free slots for paths
	children *semaphore.Weighted // free spare slots
	spare    int                 // slots 0 to spare-1
	files    *files              // nil where the server cannot save slots

	mu   sync.Mutex
	all  []slot
	tick int // requests so far
}

type slot struct {
	tokens []sparkd.Token // that the server computed there, as far as is known
	file   []sparkd.Token // that the slot's file holds
	coming []sparkd.Token // prefix that is about to be computed there
	ready  chan struct{}  // closed when that has come to an end
	keep   bool           // that is to be saved
	busy   bool
	used   int // tick of the last request
}

// maxSpare bounds the slots that are left to children.
const maxSpare = 16

// staleAfter is the number of requests per slot for paths after which no path is expected
// to come back for what a slot holds.
const staleAfter = 2

func newSlots(n int, f *files) *slots {
	s := &slots{files: f, all: make([]slot, n)}
	if f == nil {
		s.spare = min(n/2, maxSpare)
	}
	s.places = semaphore.NewWeighted(int64(n - s.spare))
	s.children = semaphore.NewWeighted(int64(max(s.spare, 1)))
	return s
}

// most is how many continuations one request can have.
func (s *slots) most() int { return s.spare + 1 }

// place is a slot that is taken for a prefix.
type place struct {
	slot     int
	expected int  // tokens of the prefix that the slot holds
	cold     bool // other requests can go on from the prefix once it is computed
}

// acquire waits for a slot, and for spare ones for the continuations of a request beyond the first, and fills it
// with as much of the prefix as others hold. The caller calls free afterwards.
func (s *slots) acquire(
	ctx context.Context, prefix []sparkd.Token, continuations int,
) (p place, free func(), err error) {
	spare := int64(min(continuations-1, s.spare))
	if err := s.places.Acquire(ctx, 1); err != nil {
		return p, nil, sparkd.AsError(ctx.Err())
	}
	if err := s.children.Acquire(ctx, spare); err != nil {
		s.places.Release(1)
		return p, nil, sparkd.AsError(ctx.Err())
	}
	if p, err = s.assign(ctx, prefix, continuations > 1); err != nil {
		s.children.Release(spare)
		s.places.Release(1)
		return p, nil, err
	}
	s.mu.Lock()
	p.expected = min(prefixcache.Common(s.all[p.slot].tokens, prefix), len(prefix)-1)
	s.mu.Unlock()
	return p, func() {
		s.release(p.slot)
		s.children.Release(spare)
	}, nil
}

// acquireIdle takes up to n idle slots beside the one that is taken, without waiting.
func (s *slots) acquireIdle(n int) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	for len(out) < n && s.places.TryAcquire(1) {
		_, at := s.idle(nil)
		s.occupy(at, nil)
		out = append(out, at)
	}
	return out
}

// occupy marks a slot busy for a prefix: the server drops what lies there beyond it.
func (s *slots) occupy(at int, prefix []sparkd.Token) {
	s.tick++
	c := &s.all[at]
	c.busy, c.used, c.tokens = true, s.tick, c.tokens[:prefixcache.Common(c.tokens, prefix)]
}

// release gives a slot back.
func (s *slots) release(at int) {
	s.computed(at)
	s.mu.Lock()
	s.all[at].busy = false
	s.mu.Unlock()
	s.places.Release(1)
}

// idle returns the idle slot whose whole content the prefix goes on from, -1 where there
// is none, and the one that was used the longest ago.
func (s *slots) idle(prefix []sparkd.Token) (next, oldest int) {
	next, oldest = -1, -1
	for i := s.spare; i < len(s.all); i++ {
		c := &s.all[i]
		if c.busy {
			continue
		}
		n := len(c.tokens)
		if n > 0 && prefixcache.Common(c.tokens, prefix) == n && (next < 0 || n > len(s.all[next].tokens)) {
			next = i
		}
		if oldest < 0 || c.used < s.all[oldest].used {
			oldest = i
		}
	}
	return next, oldest
}

// choose picks the idle slot for a prefix where slots cannot be saved: the one whose whole content it goes on
// from. Else a path has left another one, and computes all anew in the slot that was used the longest ago, or
// takes the slot that holds the longest part of it if that is cheaper.
func (s *slots) choose(prefix []sparkd.Token) int {
	next, oldest := s.idle(prefix)
	source, shared := -1, 0
	for i := s.spare; i < len(s.all); i++ {
		c := &s.all[i]
		n := prefixcache.Common(c.tokens, prefix)
		if n > shared || n == shared && n > 0 && s.lost(c, n) < s.lost(&s.all[source], n) {
			source, shared = i, n
		}
	}
	switch {
	case next >= 0 && shared-len(s.all[next].tokens) < minCopy:
		return next
	case source >= 0 && !s.all[source].busy && s.takesOver(&s.all[source], shared, &s.all[oldest]):
		return source
	}
	return oldest
}

// takesOver reports whether it is cheaper to take the slot that holds the first tokens of a prefix, whose own path
// then computes its rest anew, than to compute all in the oldest one. Two paths would take the slot from each
// other at every step, so an old slot that no path misses is only passed over for much.
func (s *slots) takesOver(source *slot, shared int, oldest *slot) bool {
	turns := 1
	if s.lost(oldest, 0) == 0 {
		turns = 8
	}
	return shared+s.lost(oldest, 0) > turns*s.lost(source, shared)
}

// lost is how many tokens that a path may come back for a slot loses when all but the first n are overwritten.
func (s *slots) lost(c *slot, n int) int {
	if s.tick-c.used > staleAfter*(len(s.all)-s.spare) {
		return 0
	}
	return max(len(c.tokens)-n, 0)
}

// filled notes what a slot holds after a request: all but the last sampled token has been computed.
func (s *slots) filled(at int, tokens []sparkd.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[at].tokens = tokens[:max(len(tokens)-1, 0)]
}

// forget notes that all slots are empty, and that no file is to be used again.
func (s *slots) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		s.all[i].tokens, s.all[i].file = nil, nil
	}
}
