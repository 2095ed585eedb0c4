package store

import (
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"sparkd"
)

// The nodes of a round are one block: their number as a varint, then a message of words and nodes. Words that
// repeat from node to node (engine, policy version, reason …) are written before the first node with them and
// referred to by their number. Ids are not stored: they follow from the block's key.
const (
	blockWord protowire.Number = iota + 1
	blockNode
)

// block is a block that is being read.
type block struct{ nodes []sparkd.Node }

var blockFields = message[block]{
	{"words", kind[block]{"repeated string", protowire.BytesType, nil, getWord}},
	{"nodes", list("Node", nodeFields, func(b *block) *[]sparkd.Node { return &b.nodes })},
}

func getWord(d *decoder, x value, _ *block) error {
	d.words = append(d.words, string(x.bytes))
	return nil
}

// encodeNodes returns the block of nodes, whose spans are valid.
func encodeNodes(nodes []*sparkd.Node) []byte {
	e := encoder{words: make([]string, 1, 16), fresh: make([]byte, 0, 256)}
	b := binary.AppendUvarint(make([]byte, 0, 2<<10), uint64(len(nodes)))
	for i, n := range nodes {
		begin := len(b)
		b = nodeFields.put(&e, b, blockNode, n)
		b = slices.Grow(b, (len(nodes)-i)*(len(b)-begin)) // nodes of a round are alike
		b, e.fresh = slices.Insert(b, begin, e.fresh...), e.fresh[:0]
	}
	return b
}

// minNode is the size of the smallest node, a bound for the number of nodes that a block of a given size can hold.
const minNode = 2

// decodeNodes reads a block, encoded as record version says, whose first node has the id
// first. Nothing is allocated beyond what the block's size allows.
func decodeNodes(version byte, encoded []byte, first int) ([]*sparkd.Node, error) {
	if version == 1 {
		return decodeNodes1(encoded, first)
	}
	count, n := protowire.ConsumeVarint(encoded)
	if n < 0 {
		return nil, protowire.ParseError(n)
	}
	if count > uint64(len(encoded)/minNode) {
		return nil, errShort
	}
	b := block{make([]sparkd.Node, 0, count)}
	if err := blockFields.get(&decoder{words: make([]string, 1, 16)}, encoded[n:], &b); err != nil {
		return nil, err
	}
	if len(b.nodes) != int(count) {
		return nil, errShort
	}
	return numbered(b.nodes, first), nil
}

// numbered gives nodes their ids.
func numbered(array []sparkd.Node, first int) []*sparkd.Node {
	nodes := make([]*sparkd.Node, len(array))
	for i := range array {
		nodes[i] = &array[i]
		nodes[i].ID = first + i
	}
	return nodes
}
