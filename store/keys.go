package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Every key starts with one byte that says what it holds. Ids end in a zero byte, which no id contains; numbers
// are big-endian, so that the order of the keys is the order of the numbers.
// DESIGN.md has the table of what is written when.
const (
	kindRollout     = 'r' // rollout: spec, tree ids, created
	kindState       = 's' // rollout: state, counters, times
	kindTree        = 't' // tree: header
	kindNodes       = 'n' // tree, first:4, piece:2: the nodes from id first on
	kindCompleted   = 'c' // seq:8 of the event that announced it: finished tree
	kindCompletedOf = 'd' // rollout, seq:8: the same, by rollout
	kindEvent       = 'e' // seq:8: event
)

const maxID = 256 // bytes

func idKey(kind byte, id string) []byte {
	k := make([]byte, 0, len(id)+2+8) // room for what nodesKey and completedKey append
	k = append(k, kind)
	k = append(k, id...)
	return append(k, 0)
}

func rolloutKey(id string) []byte { return idKey(kindRollout, id) }
func stateKey(id string) []byte   { return idKey(kindState, id) }
func treeKey(id string) []byte    { return idKey(kindTree, id) }

// nodesKey is the key of a piece of the round whose first node is first.
func nodesKey(tree string, first, piece int) []byte {
	k := binary.BigEndian.AppendUint32(idKey(kindNodes, tree), uint32(first))
	return binary.BigEndian.AppendUint16(k, uint16(piece))
}

// completedKey is the key of an entry of the completion log, or of a rollout's own when rollout is not empty.
func completedKey(rollout string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(completedPrefix(rollout), seq)
}

func completedPrefix(rollout string) []byte {
	if rollout == "" {
		return []byte{kindCompleted}
	}
	return idKey(kindCompletedOf, rollout)
}

func eventKey(seq uint64) []byte { return binary.BigEndian.AppendUint64([]byte{kindEvent}, seq) }

// seqOf returns the sequence number that ends an event or completion key.
func seqOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// forms says of every kind what its keys are called, whether they have an id, and how many bytes are behind it.
var forms = map[byte]struct {
	name string
	id   bool
	rest int
}{
	kindRollout:     {"rollout", true, 0},
	kindState:       {"state", true, 0},
	kindTree:        {"tree", true, 0},
	kindNodes:       {"nodes", true, 6},
	kindCompleted:   {"completed", false, 8},
	kindCompletedOf: {"completed", true, 8},
	kindEvent:       {"event", false, 8},
}

// splitKey takes a key apart: its kind, its id, and the bytes after the id. ok is false where no key builder above
// could have made it.
func splitKey(key []byte) (kind byte, id string, rest []byte, ok bool) {
	if len(key) == 0 {
		return 0, "", nil, false
	}
	kind, rest = key[0], key[1:]
	form, ok := forms[kind]
	if form.id {
		var before []byte
		before, rest, ok = bytes.Cut(rest, []byte{0})
		id = string(before)
	}
	return kind, id, rest, ok && len(rest) == form.rest && form.id == (id != "")
}

// describeKey writes a key for people: "nodes/TREE/12/0".
func describeKey(key []byte) string {
	kind, id, rest, ok := splitKey(key)
	if !ok {
		return fmt.Sprintf("%q", key)
	}
	name := forms[kind].name
	if id != "" {
		name += "/" + id
	}
	switch {
	case kind == kindNodes:
		return fmt.Sprintf("%s/%d/%d", name, binary.BigEndian.Uint32(rest), binary.BigEndian.Uint16(rest[4:]))
	case len(rest) > 0:
		return fmt.Sprintf("%s/%d", name, seqOf(key))
	}
	return name
}
