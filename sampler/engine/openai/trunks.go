package openai

import (
	"container/list"
	"context"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"

	"sparkd"
)

const (
	// maxTrunks bounds how many blocks of prefixes are remembered.
	maxTrunks = 1 << 16
	// minTrunk is the number of tokens that siblings must compute again, if they are sent to
	// vLLM at once, for a request that computes their prefix first to be worth the forward in
	// which they wait: 30 tokens behind a step are not.
	minTrunk = 512
)

// trunks remembers which prefixes a server has computed, in the blocks of its prefix
// cache, the least recently used forgotten first. It guesses: the server may have given a
// block away.
type trunks struct {
	block int // tokens of a block; a prefix is cached in whole ones
	least int // tokens that siblings compute again from which their prefix is computed first
	seed  maphash.Seed

	mu      sync.Mutex
	order   *list.List // of hashes of everything up to the end of a block, the latest in front
	at      map[uint64]*list.Element
	process string // of the server that computed them
	coming  []*trunk
}

// trunk is a prefix that the server is computing, or is about to, for several
// continuations.
type trunk struct {
	prefix []sparkd.Token
	left   int           // tokens of it that were missing
	ready  chan struct{} // closed when it is there, or will not be
}

func newTrunks() *trunks {
	return &trunks{block: 16, least: 1, seed: maphash.MakeSeed(), order: list.New(), at: map[uint64]*list.Element{}}
}

// whole returns how many tokens of a prefix its whole blocks have. The last token is
// computed in any case, and a block that it would complete with it.
func (t *trunks) whole(prefix []sparkd.Token) int { return max(len(prefix)-1, 0) / t.block * t.block }

// blocks calls f with the hash of everything up to the end of each whole block, until f
// returns false.
func (t *trunks) blocks(prefix []sparkd.Token, f func(hash uint64) bool) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	for i, id := range prefix[:t.whole(prefix)] {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], uint32(id))
		h.Write(b[:])
		if (i+1)%t.block == 0 && !f(h.Sum64()) {
			return
		}
	}
}

// known returns how many of the prefix's first tokens the server has computed before. The
// caller holds the lock.
func (t *trunks) known(prefix []sparkd.Token) int {
	n := 0
	t.blocks(prefix, func(hash uint64) bool {
		e, ok := t.at[hash]
		if ok {
			t.order.MoveToFront(e)
			n += t.block
		}
		return ok
	})
	return n
}

// add notes that the server has computed these tokens, but for the last one.
func (t *trunks) add(tokens []sparkd.Token) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocks(tokens, func(hash uint64) bool {
		if e, ok := t.at[hash]; ok {
			t.order.MoveToFront(e)
			return true
		}
		t.at[hash] = t.order.PushFront(hash)
		if t.order.Len() > maxTrunks {
			delete(t.at, t.order.Remove(t.order.Back()).(uint64))
		}
		return true
	})
}

// claim returns how many of the first tokens of a prefix of k continuations the server has
// computed before. A trunk that another request is having computed is waited for where it has
// at least half of what is missing, and little else: vLLM computes a prefix once for each request that
// arrives before it is there. Where the prefix is not resident, it is to be computed first, and
// others wait for it until arrived is called.
func (t *trunks) claim(ctx context.Context, prefix []sparkd.Token, k int) (held int, resident bool, arrived func(), err error) {
	for waits := 0; ; waits++ {
		t.mu.Lock()
		held = t.known(prefix)
		other := t.worthWaiting(prefix, held)
		if other == nil || waits == maxWaits {
			break
		}
		t.mu.Unlock()
		select {
		case <-other.ready:
		case <-ctx.Done():
			return 0, false, nil, sparkd.AsError(ctx.Err())
		}
	}
	defer t.mu.Unlock()
	if (k-1)*(t.whole(prefix)-held) < t.least {
		return held, true, func() {}, nil
	}
	own := &trunk{prefix, t.whole(prefix) - held, make(chan struct{})}
	t.coming = append(t.coming, own)
	return held, false, sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.coming = slices.DeleteFunc(t.coming, func(c *trunk) bool { return c == own })
		close(own.ready)
	}), nil
}

// worthWaiting returns the trunk that has the most of a prefix.
func (t *trunks) worthWaiting(prefix []sparkd.Token, held int) (best *trunk) {
	least := max(minCopy, (len(prefix)-held)/2)
	for _, c := range t.coming {
		if n := t.whole(prefix[:common(c.prefix, prefix)]) - held; n >= least && c.left <= 2*n {
			best, least = c, n+1
		}
	}
	return best
}

// forget drops all prefixes.
func (t *trunks) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.order.Init()
	clear(t.at)
}

// restarted notes the server's process and reports whether it is another than before; all
// prefixes are forgotten then.
func (t *trunks) restarted(process string) bool {
	t.mu.Lock()
	old := t.process
	t.process = process
	t.mu.Unlock()
	if old == "" || process == "" || old == process {
		return false
	}
	t.forget()
	return true
}
