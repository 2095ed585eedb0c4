package store

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// parts says which fields of a message are messages, by number.
type parts map[protowire.Number]parts

var blockParts = parts{blockNode: {4: {7: {}}, 11: {}, 14: {}, 15: {}, 23: {}}}

// withUnknown returns a block as a newer sparkd could write it: with fields of every wire
// type and of numbers that this one does not know, anywhere in every message.
func withUnknown(rng *rand.Rand, block []byte) []byte {
	_, n := protowire.ConsumeVarint(block)
	return append(block[:n:n], unknownIn(rng, block[n:], blockParts)...)
}

func unknownIn(rng *rand.Rand, b []byte, p parts) (out []byte) {
	for len(b) > 0 {
		out = appendUnknown(rng, out)
		num, wire, n := protowire.ConsumeTag(b)
		x, size := consume(num, wire, b[n:])
		if sub, ok := p[num]; ok {
			out = protowire.AppendTag(out, num, wire)
			out = protowire.AppendBytes(out, unknownIn(rng, x.bytes, sub))
		} else {
			out = append(out, b[:n+size]...)
		}
		b = b[n+size:]
	}
	return appendUnknown(rng, out)
}

func appendUnknown(rng *rand.Rand, b []byte) []byte {
	for range rng.IntN(3) {
		num := protowire.Number(100 + rng.IntN(1<<20))
		wire := protowire.Type(rng.IntN(6))
		if wire == protowire.EndGroupType {
			continue
		}
		b = protowire.AppendTag(b, num, wire)
		switch wire {
		case protowire.VarintType:
			b = protowire.AppendVarint(b, rng.Uint64())
		case protowire.Fixed32Type:
			b = protowire.AppendFixed32(b, rng.Uint32())
		case protowire.Fixed64Type:
			b = protowire.AppendFixed64(b, rng.Uint64())
		case protowire.BytesType:
			b = protowire.AppendBytes(b, make([]byte, rng.IntN(200)))
		case protowire.StartGroupType:
			b = protowire.AppendGroup(b, num, appendUnknown(rng, nil))
		}
	}
	return b
}

// TestUnknownFields: what a newer sparkd adds is skipped, and all else is read.
func TestUnknownFields(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := seeded(seed)
	for range 100 {
		want := randomNodes(rng)
		block := encodeNodes(want)
		newer := withUnknown(rng, block)
		got, err := decodeNodes(frameVersion, newer, want[0].ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: %d bytes, %d of them unknown\n got %+v\nwant %+v",
				err, len(newer), len(newer)-len(block), got, want)
		}
	}
}

// TestUnknownFieldsStored: a store with such nodes, and with headers and rollouts that have
// more fields, is sound, and its trees grow on.
func TestUnknownFieldsStored(t *testing.T) {
	s, trees := damageStore(t, t.TempDir())
	tree := trees[3] // it grows
	hash := uint64(0)
	for first, last := 0, 1; first < len(tree.Nodes); first, last = last, last+4 { // as putTree made it
		key, nodes := nodesKey(tree.ID, first, 0), tree.Nodes[first:last]
		block := withUnknown(seeded(5), encodeNodes(nodes))
		hash = chain(hash, first, len(nodes), block)
		putRaw(t, s, record{key, seal(key, append([]byte{1}, block...))})
	}
	for _, r := range records(t, s) {
		switch r.key[0] {
		case kindTree, kindRollout, kindState, kindCompleted, kindCompletedOf, kindEvent:
			fields := map[string]any{}
			_, payload, err := unseal(r.key, r.value)
			if err == nil {
				err = decodeJSON(r.key, payload, &fields)
			}
			if err != nil {
				t.Fatal(err)
			}
			fields["newer"] = map[string]any{"than": []int{1}}
			if r.key[0] == kindTree && fields["id"] == tree.ID {
				fields["hash"] = strconv.FormatUint(hash, 10)
			}
			if payload, err = json.Marshal(fields); err != nil {
				t.Fatal(err)
			}
			putRaw(t, s, record{r.key, seal(r.key, payload)})
		}
	}
	checkClean(t, s)
	sameTree(t, s, tree)
	if err := s.PutRound(t.Context(), tree, addRound(tree, seeded(6), 2, 5)); err != nil {
		t.Fatal(err)
	}
	sameTree(t, reopen(t, s), tree)
}

// TestWrongWireType: a known field of another wire type is an error, as is a wire type that
// does not exist.
func TestWrongWireType(t *testing.T) {
	for name, node := range map[string][]byte{
		"reward as a varint":     protowire.AppendVarint(protowire.AppendTag(nil, 8, protowire.VarintType), 1),
		"tokens of 2 bytes":      wrap(4, wrap(2, []byte{1, 0x82})),
		"tokens of 5 bytes":      wrap(4, wrap(2, []byte{0x80, 0x80, 0x80, 0x80, 0x10})),
		"logprobs of 3 bytes":    wrap(4, wrap(3, []byte{1, 2, 3})),
		"a word that is not":     protowire.AppendVarint(protowire.AppendTag(nil, 10, protowire.VarintType), 1),
		"nanoseconds beyond 1 s": wrap(23, []byte{2 << 3, 0x80, 0xa8, 0xd6, 0xb9, 0x07}),
		"wire type 6":            {100<<3&0x7f | 6 | 0x80, 100 >> 4, 0},
		"wire type 7":            {100<<3&0x7f | 7 | 0x80, 100 >> 4, 0},
		"field number 0":         {0, 0},
		"an end without a group": protowire.AppendTag(nil, 100, protowire.EndGroupType),
	} {
		if nodes, err := decodeNodes(frameVersion, append([]byte{1}, wrap(blockNode, node)...), 0); err == nil {
			t.Errorf("%s: %+v", name, nodes[0])
		}
	}
	good := append([]byte{1}, wrap(blockNode, nil)...)
	if _, err := decodeNodes(frameVersion, good, 0); err != nil {
		t.Errorf("an empty node: %v", err)
	}
	if _, err := decodeNodes(frameVersion, append(good, wrap(blockNode, nil)...), 0); err == nil {
		t.Error("a node too many is not noticed")
	}
}

func wrap(num protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), b)
}
