// Package prefixcache knows which token prefixes are held, and where. It keeps a radix tree over token ids and
// never touches an engine: what a value stands for (a KV cell, a replica) is its owner's business.
//
// [Index] attaches one value to every token of the sequences inserted into it; a sequence shares the values of its
// longest prefix that is already there. [Holders] keeps one Index per holder and says how much of a sequence each has.
//
// Neither type locks: one goroutine owns each.
package prefixcache

import (
	"slices"

	"sparkd"
)

// Index is a radix tree over token ids with one value per token. The zero value is an empty index.
//
// All nodes stand in one list in order of use. Whoever touches a node touches its
// ancestors after it, so every node stands before its ancestors, and the first node
// that is neither pinned nor above another is the least recently used leaf.
type Index[V any] struct {
	root   node[V] // also the anchor of the list: root.newer is the least recently used node
	tokens int
}

// node is the end of an edge. The edge's tokens and values belong to it, so a
// node that is split keeps its place in the tree, its children and its pins.
type node[V any] struct {
	tokens       []sparkd.Token
	values       []V // as long as tokens
	parent       *node[V]
	children     map[sparkd.Token]*node[V] // by the first token of their edges
	pins         int
	older, newer *node[V]
}

// Pin keeps one prefix in an index until it is released.
type Pin[V any] struct {
	end    *node[V]
	tokens int
}

// Len returns the length of the pinned prefix.
func (p Pin[V]) Len() int { return p.tokens }

// Len returns the number of tokens held.
func (x *Index[V]) Len() int { return x.tokens }

// Match returns the values of the longest prefix of tokens that is held, one per token, and marks that prefix as used.
func (x *Index[V]) Match(tokens []sparkd.Token) []V {
	end, inEdge, n := x.descend(tokens)
	x.touch(end)
	values := make([]V, n)
	for i := n; end != &x.root; end = end.parent {
		i -= inEdge
		copy(values[i:], end.values[:inEdge])
		inEdge = len(end.parent.tokens)
	}
	return values
}

// Insert adds tokens with one value each and marks them as used. The first old of them were held already and keep
// the values they have; the values of the others are the index's from now on. It panics when the lengths differ.
func (x *Index[V]) Insert(tokens []sparkd.Token, values []V) (old int) {
	if len(tokens) != len(values) {
		panic("prefixcache: one value per token")
	}
	end, old := x.locate(tokens)
	if old < len(tokens) {
		leaf := &node[V]{tokens: slices.Clone(tokens[old:]), values: slices.Clone(values[old:])}
		leaf.attach(end)
		x.tokens += len(leaf.tokens)
		end = leaf
	}
	x.touch(end)
	return old
}

// Pin keeps the longest prefix of tokens that is held from eviction, and marks it as used. Pins of one prefix add up.
func (x *Index[V]) Pin(tokens []sparkd.Token) Pin[V] {
	end, n := x.locate(tokens)
	end.pins++
	x.touch(end)
	return Pin[V]{end: end, tokens: n}
}

// Release undoes one Pin. A Pin is released once; the zero Pin holds nothing.
func (x *Index[V]) Release(p Pin[V]) {
	if p.end != nil {
		p.end.pins--
	}
}

// Evict drops the leaf that was used least recently among those not pinned and returns its values, or nil when
// everything held is pinned. What is held by prefixes of a pinned sequence stays.
func (x *Index[V]) Evict() []V {
	for n := x.root.newer; n != nil && n != &x.root; n = n.newer {
		if n.pins > 0 || len(n.children) > 0 {
			continue
		}
		n.unlink()
		delete(n.parent.children, n.tokens[0])
		x.tokens -= len(n.tokens)
		return n.values
	}
	return nil
}

// descend follows tokens as far as they are held: n tokens, of which the last inEdge lie on the edge of end.
func (x *Index[V]) descend(tokens []sparkd.Token) (end *node[V], inEdge, n int) {
	end = &x.root
	for n < len(tokens) {
		child := end.children[tokens[n]]
		if child == nil {
			break
		}
		end, inEdge = child, Common(child.tokens, tokens[n:])
		n += inEdge
		if inEdge < len(child.tokens) {
			break
		}
	}
	return end, inEdge, n
}

// locate is descend with a split, so that the n tokens end at a node, which the caller touches.
func (x *Index[V]) locate(tokens []sparkd.Token) (end *node[V], n int) {
	end, inEdge, n := x.descend(tokens)
	if inEdge == len(end.tokens) {
		return end, n
	}
	upper := &node[V]{tokens: end.tokens[:inEdge:inEdge], values: end.values[:inEdge:inEdge]}
	upper.attach(end.parent)
	end.tokens, end.values = end.tokens[inEdge:], end.values[inEdge:]
	end.attach(upper)
	return upper, n
}

// attach makes n the child of parent.
func (n *node[V]) attach(parent *node[V]) {
	if parent.children == nil {
		parent.children = map[sparkd.Token]*node[V]{}
	}
	parent.children[n.tokens[0]] = n
	n.parent = parent
}

// touch moves n and its ancestors, in this order, to the end of the list.
func (x *Index[V]) touch(n *node[V]) {
	if x.root.newer == nil {
		x.root.newer, x.root.older = &x.root, &x.root
	}
	for ; n != &x.root; n = n.parent {
		n.unlink()
		n.link(x.root.older, &x.root)
	}
}

func (n *node[V]) link(older, newer *node[V]) {
	n.older, n.newer = older, newer
	older.newer, newer.older = n, n
}

func (n *node[V]) unlink() {
	if n.newer != nil {
		n.older.newer, n.newer.older = n.newer, n.older
	}
}

// Common returns the length of the longest common prefix of a and b.
func Common(a, b []sparkd.Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
