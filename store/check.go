package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// FindingKind says what Check found.
type FindingKind string

const (
	Altered  FindingKind = "altered"  // a record fails its checksum or cannot be decoded
	Missing  FindingKind = "missing"  // a record that another one tells of is not there
	Mismatch FindingKind = "mismatch" // two records disagree
	Dangling FindingKind = "dangling" // a record that nothing refers to
	Lost     FindingKind = "lost"     // commits that were acknowledged are gone
)

// Finding is one thing that is wrong with the store, and what to do about it.
type Finding struct {
	Kind    FindingKind `json:"kind"`
	Rollout string      `json:"rollout,omitempty"`
	Tree    string      `json:"tree,omitempty"`
	Key     string      `json:"key,omitempty"` // "nodes/TREE/12/0"
	Problem string      `json:"problem"`
	Remedy  string      `json:"remedy"`
}

// Error names the finding's place: "tree T of rollout R: nodes/T/12/0: problem".
func (f *Finding) Error() string {
	var place []string
	switch {
	case f.Tree != "" && f.Rollout != "":
		place = append(place, "tree "+f.Tree+" of rollout "+f.Rollout)
	case f.Tree != "":
		place = append(place, "tree "+f.Tree)
	case f.Rollout != "":
		place = append(place, "rollout "+f.Rollout)
	}
	if f.Key != "" {
		place = append(place, f.Key)
	}
	return strings.Join(append(place, f.Problem), ": ")
}

// Report is what Check has seen and found. A store without findings is sound.
type Report struct {
	Findings  []Finding `json:"findings"`
	Rollouts  int       `json:"rollouts"`
	Trees     int       `json:"trees"`
	Finished  int       `json:"finished"` // of the trees
	Nodes     int       `json:"nodes"`
	Events    int       `json:"events"`
	Leftovers int       `json:"leftovers"` // records of rounds that were never committed; harmless
}

// Check reads every record and compares what they say of each other: checksums, each tree's number of nodes, hash
// and parent links, rollouts and their trees, the completion log, the event log and the high-water file. It goes
// on after a finding; its error says only that it could not go on. It may run beside writers: it sees the store as
// of its start.
func (s *Store) Check(ctx context.Context) (Report, error) {
	c := &checker{ctx: ctx, last: s.last.Load(), rollouts: map[string]*sparkd.Rollout{}, trees: map[string]*treeHead{}}
	err := s.view(ctx, c.checkAll)
	if err != nil {
		err = c.add(err) // a table that Badger cannot read ends the walk, and is a finding
	}
	return c.Report, err
}

// checker walks one snapshot. A map that lacks an id is one whose record is damaged or
// was never there; what matters is that the damage itself is reported.
type checker struct {
	Report
	ctx      context.Context
	txn      *badger.Txn
	last     uint64 // the event log reaches at least to here
	rollouts map[string]*sparkd.Rollout
	trees    map[string]*treeHead // without nodes
}

func (c *checker) checkAll(txn *badger.Txn) error {
	c.txn = txn
	for _, step := range []func() error{
		c.checkRollouts, c.checkTrees, c.checkNodes, c.checkReferences,
		c.checkCompleted, c.checkEvents, c.checkUnknownKeys,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// add adds the finding that err carries; other errors are returned.
func (c *checker) add(err error) error {
	var f *Finding
	if !errors.As(err, &f) {
		return err
	}
	c.Findings = append(c.Findings, *f)
	return nil
}

func (c *checker) report(kind FindingKind, rollout, tree string, key []byte, format string, args ...any) {
	c.add(finding(kind, rollout, tree, key, fmt.Sprintf(format, args...)))
}

// each calls fn with every item of a kind whose key has the form of the kind.
func (c *checker) each(kind byte, fn func(item *badger.Item, key []byte, id string, rest []byte) error) error {
	it := prefixIterator(c.txn, []byte{kind}, false)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if err := c.ctx.Err(); err != nil {
			return sparkd.AsError(err)
		}
		key := it.Item().KeyCopy(nil)
		_, id, rest, ok := splitKey(key)
		if !ok {
			c.report(Dangling, "", "", key, "no record of this store has such a key")
			continue
		}
		if err := fn(it.Item(), key, id, rest); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkRollouts() error {
	err := c.each(kindRollout, func(_ *badger.Item, _ []byte, id string, _ []byte) error {
		c.Rollouts++
		r, err := readRollout(c.txn, id)
		if err != nil {
			c.rollouts[id] = nil // known, not readable
			return c.add(err)
		}
		c.rollouts[id] = &r
		return nil
	})
	if err != nil {
		return err
	}
	return c.each(kindState, func(_ *badger.Item, key []byte, id string, _ []byte) error {
		if _, known := c.rollouts[id]; !known {
			c.Rollouts++
			c.rollouts[id] = nil
			c.report(Missing, id, "", rolloutKey(id), "the rollout's request is missing, its state exists")
		}
		return nil
	})
}

// checkTrees reads every tree with all its nodes.
func (c *checker) checkTrees() error {
	return c.each(kindTree, func(_ *badger.Item, key []byte, id string, _ []byte) error {
		c.Trees++
		h, err := readHead(c.txn, id)
		if err != nil {
			c.trees[id] = nil
			return c.add(err)
		}
		c.trees[id] = h
		if h.finished() {
			c.Finished++
		}
		if err := loadNodes(c.txn, h); err != nil {
			if err := c.add(inTree(err, h.Rollout, id)); err != nil {
				return err
			}
		}
		c.Nodes += len(h.Nodes)
		h.Nodes = nil
		return nil
	})
}

// checkNodes looks for node records that no header counts.
func (c *checker) checkNodes() error {
	orphan := ""
	return c.each(kindNodes, func(_ *badger.Item, key []byte, id string, rest []byte) error {
		h, known := c.trees[id]
		switch {
		case !known && id != orphan:
			orphan = id
			c.report(Missing, "", id, treeKey(id), "the tree's header is missing, nodes of it exist")
		case h != nil && int(binary.BigEndian.Uint32(rest)) >= h.Count:
			c.Leftovers++
		}
		return nil
	})
}

// checkReferences compares rollouts with their trees.
func (c *checker) checkReferences() error {
	lists := map[string]string{} // tree → the rollout that lists it
	for _, r := range sorted(c.rollouts) {
		if r == nil {
			continue
		}
		for _, id := range r.Trees {
			lists[id] = r.ID
			h, known := c.trees[id]
			switch {
			case !known && r.State == sparkd.RolloutDone:
				c.report(Missing, r.ID, id, treeKey(id), "the rollout is done and this tree of it is missing")
			case h != nil && h.Rollout != r.ID:
				c.report(Mismatch, r.ID, id, treeKey(id), "the tree says that it belongs to rollout %q", h.Rollout)
			case h != nil && !h.finished() && r.State == sparkd.RolloutDone:
				c.report(Mismatch, r.ID, id, treeKey(id), "the rollout is done and this tree of it is still growing")
			}
		}
	}
	for _, h := range sorted(c.trees) {
		if h == nil {
			continue
		}
		r, known := c.rollouts[h.Rollout]
		switch {
		case !known:
			c.report(Missing, h.Rollout, h.ID, rolloutKey(h.Rollout), "the tree's rollout is missing")
		case r != nil && lists[h.ID] != r.ID:
			c.report(Dangling, h.Rollout, h.ID, treeKey(h.ID), "the tree's rollout does not list it")
		}
	}
	return nil
}
