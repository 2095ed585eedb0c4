package openai

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"sparkd"
)

// maxTrunks bounds how many blocks of prefixes are remembered.
const maxTrunks = 1 << 16

// trunks remembers which prefixes a server has computed, in the blocks of its prefix
// cache, the least recently used forgotten first. It guesses: the server may have given a
// block away.
type trunks struct {
	block int // tokens of a block; a prefix is cached in whole ones
	seed  maphash.Seed

	mu      sync.Mutex
	order   *list.List // of hashes of everything up to the end of a block, the latest in front
	at      map[uint64]*list.Element
	process string // of the server that computed them
}

func newTrunks() *trunks {
	return &trunks{block: 16, seed: maphash.MakeSeed(), order: list.New(), at: map[uint64]*list.Element{}}
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

// holds returns how many of the prefix's first tokens the server has computed before.
func (t *trunks) holds(prefix []sparkd.Token) int {
	t.mu.Lock()
	defer t.mu.Unlock()
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
