package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// loadTree reads a tree and proves it complete: every record's checksum, the number of
// nodes, their links, and the rolling hash of the header.
func loadTree(txn *badger.Txn, id string) (*sparkd.Tree, error) {
	h, err := readHead(txn, id)
	if err != nil {
		return nil, err
	}
	if err := loadNodes(txn, h); err != nil {
		return nil, inTree(err, h.Rollout, h.ID)
	}
	return &h.Tree, nil
}

func loadNodes(txn *badger.Txn, h *treeHead) error {
	hash := uint64(0)
	for first := 0; first < h.Count; first = len(h.Nodes) {
		err := readBlock(txn, h.ID, first, func(version byte, block []byte) error {
			nodes, err := decodeNodes(version, block, first)
			if err == nil && len(nodes) == 0 {
				err = errors.New("it holds no node")
			}
			if err != nil {
				return damaged(Altered, nodesKey(h.ID, first, 0), "the record cannot be decoded: %v", err)
			}
			hash = chain(hash, first, len(nodes), block)
			h.Nodes = append(h.Nodes, nodes...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	switch {
	case len(h.Nodes) != h.Count:
		return damaged(Mismatch, treeKey(h.ID), "the header counts %d nodes, %d are stored", h.Count, len(h.Nodes))
	case hash != h.Hash:
		return damaged(Mismatch, treeKey(h.ID), "the nodes do not have the hash that the header has")
	}
	for i := range h.Nodes {
		if problem := linkProblem(h.Nodes, i); problem != "" {
			return damaged(Altered, treeKey(h.ID), "%s", problem)
		}
	}
	return nil
}

// readBlock calls fn with the record version and the block whose first node is first; the
// block is valid only during the call.
func readBlock(txn *badger.Txn, tree string, first int, fn func(version byte, block []byte) error) error {
	var joined []byte
	var version byte
	for i, pieces := 0, 1; i < pieces; i++ {
		key := nodesKey(tree, first, i)
		err := read(txn, key, func(v byte, payload []byte) error {
			n, size := binary.Uvarint(payload)
			if size <= 0 || n == 0 || n > 1<<16 || i > 0 && (n != uint64(pieces) || v != version) {
				return damaged(Altered, key, "the record is not piece %d of its round", i)
			}
			if version, pieces = v, int(n); pieces == 1 {
				return fn(version, payload[size:])
			}
			joined = append(joined, payload[size:]...)
			return nil
		})
		if errors.Is(err, errMissing) {
			return damaged(Missing, key, "the record is missing: %s", missingPart(i, pieces))
		} else if err != nil {
			return err
		}
	}
	if joined == nil {
		return nil
	}
	return fn(version, joined)
}

func missingPart(piece, pieces int) string {
	if piece == 0 {
		return "a committed round"
	}
	return fmt.Sprintf("piece %d of %d of a round", piece+1, pieces)
}
