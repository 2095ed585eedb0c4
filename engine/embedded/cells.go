package embedded

import (
	"slices"

	"sparkd"
	"sparkd/prefixcache"
)

// cells keeps the books of the KV store: which block is whose. It moves no data.
//
// The KV of a sequence lies in a path of block references. Blocks are shared, never copied: a fork refers to its
// prefix, whose last block may be partly filled, and appends into blocks of its own. One rule makes this safe: the
// next cell of a block goes to whoever asks first with a path that ends at the block's last given cell. So a
// sequence that goes on where another ended fills up the same block, and the first of several forks does too,
// while the others start new blocks.
//
// A block is taken while a live request holds it or the index keeps a token in it, and free otherwise. What only
// the index keeps may be evicted at any time, so blocks not held can always be had; requests start only when all
// they could ever take fits in those (reserve), and therefore never wait for each other while they run.
type cells struct {
	index *prefixcache.Index[int32] // cell of every remembered token; nil: nothing is shared

	free    []int32
	given   []uint8 // cells of the block that were given out
	kept    []uint8 // tokens of the index that lie in the block
	holds   []int32 // by live requests
	held    int     // blocks with holds
	pledged int     // blocks that live requests may still take

	evictions, evictedTokens uint64
}

func newCells(blocks int, share bool) *cells {
	c := &cells{
		free:  make([]int32, blocks),
		given: make([]uint8, blocks), kept: make([]uint8, blocks), holds: make([]int32, blocks),
	}
	for i := range c.free {
		c.free[i] = int32(blocks - 1 - i) // low blocks first
	}
	if share {
		c.index = &prefixcache.Index[int32]{}
	}
	return c
}

// blocksFor returns the blocks that n tokens fill.
func blocksFor(n int) int { return (n + blockTokens - 1) / blockTokens }

// fits reports whether n more blocks can be promised besides all that is promised.
func (c *cells) fits(n int) bool { return c.held+c.pledged+n <= len(c.given) }

func (c *cells) hold(block int32) {
	if c.holds[block]++; c.holds[block] == 1 {
		c.held++
	}
}

func (c *cells) drop(blocks []int32) {
	for _, b := range blocks {
		if c.holds[b]--; c.holds[b] == 0 {
			c.held--
			c.freeIfUnused(b)
		}
	}
}

func (c *cells) freeIfUnused(b int32) {
	if c.holds[b] == 0 && c.kept[b] == 0 {
		c.free = append(c.free, b)
	}
}

// take returns a free block, held once, and evicts prefixes to get one if it must.
func (c *cells) take() int32 {
	for len(c.free) == 0 {
		evicted := c.index.Evict()
		if evicted == nil {
			panic("embedded: no block left, though one was promised")
		}
		c.evictions++
		c.evictedTokens += uint64(len(evicted))
		for _, cell := range evicted {
			b := cell / blockTokens
			c.kept[b]--
			c.freeIfUnused(b)
		}
	}
	last := len(c.free) - 1
	b := c.free[last]
	c.free = c.free[:last]
	c.hold(b)
	return b
}

// extend appends n cells to path and the blocks it had to take to taken.
func (c *cells) extend(path []blockRef, taken []int32, n int) ([]blockRef, []int32) {
	if len(path) > 0 {
		last := &path[len(path)-1]
		if int32(c.given[last.block]) == last.n {
			m := min(n, blockTokens-int(last.n))
			last.n += int32(m)
			c.given[last.block] += uint8(m)
			n -= m
		}
	}
	for n > 0 {
		b, m := c.take(), min(n, blockTokens)
		c.given[b] = uint8(m)
		path, taken = append(path, blockRef{b, int32(m)}), append(taken, b)
		n -= m
	}
	return path, taken
}

// prefix is the remembered beginning of a request: its path, and what keeps it.
type prefix struct {
	path   []blockRef
	tokens int
	pin    prefixcache.Pin[int32]
	blocks []int32 // held
}

// find returns the longest remembered prefix of tokens, pinned and held.
func (c *cells) find(tokens []sparkd.Token) prefix {
	if c.index == nil {
		return prefix{}
	}
	found := c.index.Match(tokens)
	p := prefix{path: pathOf(found), tokens: len(found), pin: c.index.Pin(tokens[:len(found)])}
	last := int32(-1)
	for _, cell := range found {
		if b := cell / blockTokens; b != last {
			last = b
			c.hold(b)
			p.blocks = append(p.blocks, b)
		}
	}
	return p
}

// forget lets go of a prefix.
func (c *cells) forget(p *prefix) {
	if c.index != nil {
		c.index.Release(p.pin)
	}
	c.drop(p.blocks)
	*p = prefix{}
}

// remember puts tokens, whose keys and values lie along path, into the index. It returns
// how many were there already, perhaps in other cells.
func (c *cells) remember(tokens []sparkd.Token, path []blockRef) (old int) {
	if c.index == nil {
		return 0
	}
	at := cellsOf(path, len(tokens))
	old = c.index.Insert(tokens, at)
	for _, cell := range at[old:] {
		c.kept[cell/blockTokens]++
	}
	return old
}

// pathOf returns the path that ends in the last of the cells of a remembered prefix. A sequence fills its blocks
// in order, so cell i of a block holds the token that follows the one in cell i-1, after the same prefix: it is
// enough to look at the last token of every block, going backwards. The cells that the index names for the tokens
// before it may lie elsewhere, when two forks began with the same tokens.
func pathOf(at []int32) []blockRef {
	var path []blockRef
	for n := int32(len(at)); n > 0; {
		cell := at[n-1]
		ref := blockRef{cell / blockTokens, cell%blockTokens + 1}
		path = append(path, ref)
		n -= ref.n
	}
	slices.Reverse(path)
	return path
}

// cellsOf returns the cells of the first n tokens of path.
func cellsOf(path []blockRef, n int) []int32 {
	at := make([]int32, 0, n)
	for _, ref := range path {
		for i := range ref.n {
			if len(at) == n {
				return at
			}
			at = append(at, ref.block*blockTokens+i)
		}
	}
	return at
}

// cut returns the path of the first n tokens of path, which it does not change.
func cut(path []blockRef, n int) []blockRef {
	for i, ref := range path {
		if n <= int(ref.n) {
			out := slices.Clone(path[:i+1])
			out[i].n = int32(n)
			return out
		}
		n -= int(ref.n)
	}
	return path
}
