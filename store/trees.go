package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// treeHead is the header of a tree: the tree without its nodes, and what proves that the nodes are all there. It is
// written after, or together with, the nodes it counts; node records beyond Count belong to a round that never was.
type treeHead struct {
	sparkd.Tree
	Count     int    `json:"node_count"`
	Hash      uint64 `json:"hash,string"`         // of the records of nodes 0 to Count-1, see chain
	Completed uint64 `json:"completed,omitempty"` // sequence number in the completion log
}

func (h *treeHead) finished() bool { return h.State != sparkd.TreeGrowing }

// event is what the event log says of the tree.
func (h *treeHead) event(kind sparkd.EventKind) sparkd.Event {
	return sparkd.Event{
		Kind: kind, Rollout: h.Rollout, Tree: h.ID, Round: h.Round, State: string(h.State), Stats: &h.Stats,
	}
}

// chain adds a round's block to a tree's rolling hash. The block's own bits are vouched for by its checksum; the
// hash is there to notice a block that is missing, of another time or of another place.
func chain(hash uint64, first, count int, block []byte) uint64 {
	return sparkd.Mix(hash, uint64(first), uint64(count), uint64(len(block)), uint64(crc32.Checksum(block, castagnoli)))
}

// headSize estimates a tree's header, events and completion entries.
const headSize = 4096

// maxPiece is the most of a block that one record holds.
const maxPiece = 512 << 10

// PutRound commits a round as one: the nodes of t from id first on, t's header, the round's event and, where t is
// finished, its entry in the completion log. A tree is written by one goroutine at a time, in order: first is the
// number of nodes stored so far, and a tree that is finished or further on is refused with code conflict. first =
// len(t.Nodes) changes the header only. A round too large for one transaction is written ahead; only its last
// transaction, with the header, makes it exist.
func (s *Store) PutRound(ctx context.Context, t *sparkd.Tree, first int) error {
	if err := checkRound(t, first); err != nil {
		return err
	}
	r := &round{head: treeHead{Tree: *t, Count: len(t.Nodes)}, first: first}
	r.head.Nodes = nil
	if first < len(t.Nodes) {
		r.block = encodeNodes(t.Nodes[first:])
	}
	if len(r.block) <= maxOp {
		return s.write(ctx, len(r.block)+headSize, r.commit)
	}
	for i := range r.pieces() {
		err := s.write(ctx, maxPiece, func(b *batch) error { return r.writeAhead(b, i) })
		if err != nil {
			return err
		}
	}
	r.ahead = true
	return s.write(ctx, headSize, r.commit)
}

// round is a round on its way to the disk.
type round struct {
	head  treeHead
	first int
	block []byte // of the nodes from first on; nil where there are none
	ahead bool   // the block is on the disk
}

// pieces is the number of records that hold the block.
func (r *round) pieces() int { return (len(r.block) + maxPiece - 1) / maxPiece }

// putPiece puts a piece with the number of pieces in front.
func (r *round) putPiece(b *batch, i int) {
	part := r.block[i*maxPiece : min((i+1)*maxPiece, len(r.block))]
	payload := append(binary.AppendUvarint(make([]byte, 0, len(part)+3), uint64(r.pieces())), part...)
	b.put(nodesKey(r.head.ID, r.first, i), payload)
}

// writeAhead puts piece i. A tree that is new gets a header that counts no node, so
// that a record of nodes always has a header.
func (r *round) writeAhead(b *batch, i int) error {
	old, err := r.previous(b.txn)
	if err != nil {
		return err
	}
	if old.ID == "" {
		h := treeHead{Tree: r.head.Tree}
		h.State, h.Round, h.Stats = sparkd.TreeGrowing, 0, sparkd.Stats{}
		h.Error, h.Finished = nil, time.Time{}
		b.putJSON(treeKey(h.ID), &h)
	}
	r.putPiece(b, i)
	return nil
}

func (r *round) commit(b *batch) error {
	old, err := r.previous(b.txn)
	if err != nil {
		return err
	}
	h := &r.head
	h.Hash = old.Hash
	if r.block != nil {
		h.Hash = chain(old.Hash, r.first, h.Count-r.first, r.block)
		for i := 0; i < r.pieces() && !r.ahead; i++ {
			r.putPiece(b, i)
		}
		b.event(h.event(sparkd.EventRound))
		b.Rounds++
		b.Nodes += uint64(h.Count - r.first)
	}
	if h.finished() {
		e := h.event(sparkd.EventTree)
		e.Error = h.Error
		h.Completed = b.event(e)
		b.putCompleted(completion{Tree: h.ID, Rollout: h.Rollout}, h.Completed)
	}
	b.putJSON(treeKey(h.ID), h)
	return nil
}

// previous returns the header before the round, without an id where the tree is new,
// after checking that the round is the tree's next.
func (r *round) previous(txn *badger.Txn) (*treeHead, error) {
	old, err := readHead(txn, r.head.ID)
	if sparkd.CodeOf(err) == sparkd.CodeNotFound {
		old, err = &treeHead{Tree: sparkd.Tree{Rollout: r.head.Rollout, State: sparkd.TreeGrowing}}, nil
	}
	if err != nil {
		return nil, err
	}
	problem := ""
	switch {
	case old.finished():
		problem = "it is " + string(old.State)
	case old.Rollout != r.head.Rollout:
		problem = fmt.Sprintf("it belongs to rollout %q", old.Rollout)
	case old.Count != r.first:
		problem = fmt.Sprintf("it has %d nodes, the round begins with node %d", old.Count, r.first)
	default:
		return old, nil
	}
	const remedy = "read the tree again and grow it on from there"
	return nil, sparkd.NewError(sparkd.CodeConflict, "", remedy, "tree %s cannot grow: %s", r.head.ID, problem)
}

// checkRound refuses what could not be read back.
func checkRound(t *sparkd.Tree, first int) error {
	if err := checkID("tree.id", t.ID); err != nil {
		return err
	}
	if err := checkID("tree.rollout", t.Rollout); err != nil {
		return err
	}
	switch t.State {
	case sparkd.TreeGrowing, sparkd.TreeDone, sparkd.TreeFailed, sparkd.TreeCanceled:
	default:
		return sparkd.Invalid("tree.state", "use growing, done, failed or canceled", "unknown tree state %q", t.State)
	}
	if first < 0 || first > len(t.Nodes) {
		const remedy = "use the number of nodes stored so far"
		return sparkd.Invalid("first", remedy, "%d is out of range for %d nodes", first, len(t.Nodes))
	}
	for id := first; id < len(t.Nodes); id++ {
		if problem := linkProblem(t.Nodes, id); problem != "" {
			return sparkd.Invalid(fmt.Sprintf("tree.nodes[%d]", id), "number nodes in order of creation", "%s", problem)
		}
		for i := range t.Nodes[id].Spans {
			if err := t.Nodes[id].Spans[i].Validate(); err != nil {
				return fmt.Errorf("tree.nodes[%d].spans[%d]: %w", id, i, err)
			}
		}
	}
	return nil
}

// linkProblem says what is wrong with the id, parent or depth of node id.
func linkProblem(nodes []*sparkd.Node, id int) string {
	n := nodes[id]
	switch {
	case n.ID != id:
		return fmt.Sprintf("node %d has the id %d", id, n.ID)
	case id == 0 && (n.Parent != -1 || n.Depth != 0):
		return fmt.Sprintf("node 0 has parent %d and depth %d", n.Parent, n.Depth)
	case id > 0 && (n.Parent < 0 || n.Parent >= id):
		return fmt.Sprintf("node %d has the parent %d", id, n.Parent)
	case id > 0 && n.Depth != nodes[n.Parent].Depth+1:
		return fmt.Sprintf("node %d has depth %d, its parent %d", id, n.Depth, nodes[n.Parent].Depth)
	}
	return ""
}

// Tree returns a tree as of its last committed round; times are in UTC. Errors are of
// code not_found, or damaged where a record of it is lost or altered.
func (s *Store) Tree(ctx context.Context, id string) (t *sparkd.Tree, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		t, err = loadTree(txn, id)
		return err
	})
	return t, err
}

// Head returns a tree without its nodes, which are not read. Errors are of code
// not_found, or damaged where the header is lost or altered.
func (s *Store) Head(ctx context.Context, id string) (t *sparkd.Tree, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		h, err := readHead(txn, id)
		if err == nil {
			t = &h.Tree
		}
		return err
	})
	return t, err
}

// readHead reads a tree's header. A missing header with nodes below it is damage.
func readHead(txn *badger.Txn, id string) (*treeHead, error) {
	h := new(treeHead)
	err := readJSON(txn, treeKey(id), h)
	switch {
	case err == nil && h.ID != id:
		return nil, finding(Altered, h.Rollout, id, treeKey(id), fmt.Sprintf("the header is that of tree %q", h.ID))
	case err == nil:
		return h, nil
	case !errors.Is(err, errMissing):
		return nil, inTree(err, "", id)
	}
	for range items(txn, idKey(kindNodes, id), nil, false) {
		return nil, finding(Missing, "", id, treeKey(id), "the tree's header is missing, nodes of it exist")
	}
	return nil, notFound("tree", id)
}
