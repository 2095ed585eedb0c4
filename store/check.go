package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
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
	Infinite FindingKind = "infinite" // a tree whose rewards add up to no number, which versions before stored
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

// Check reads every record and compares what they say of each other: checksums, each tree's number of nodes, hash and
// parent links, rollouts and their trees, the completion log and the event log. It reads the files too: the blocks of
// every table, the manifest and the high-water file. It goes on after a finding; its error says only that it could not
// go on. It may run beside writers: it sees the records as of its start.
func (s *Store) Check(ctx context.Context) (Report, error) {
	c := &checker{ctx: ctx, last: s.last.Load(), rollouts: map[string]*sparkd.Rollout{}, trees: map[string]*treeHead{}}
	c.Findings = []Finding{}
	err := s.view(ctx, c.checkAll)
	c.err = nil
	c.add(err) // a table that Badger cannot read ends the walk, and is a finding
	if c.err == nil {
		c.err = c.checkFiles(s)
	}
	return c.Report, c.err
}

// checker walks one snapshot. A map that lacks an id is one whose record is damaged or
// was never there; what matters is that the damage itself is reported.
type checker struct {
	Report
	ctx      context.Context
	txn      *badger.Txn
	err      error  // why it cannot go on
	last     uint64 // the event log reaches at least to here
	rollouts map[string]*sparkd.Rollout
	trees    map[string]*treeHead // without nodes
}

func (c *checker) checkAll(txn *badger.Txn) error {
	c.txn = txn
	for _, step := range []func(){
		c.checkRollouts, c.checkTrees, c.checkNodes, c.checkReferences,
		c.checkCompleted, c.checkEvents, c.checkUnknownKeys,
	} {
		if step(); c.err != nil {
			return c.err
		}
	}
	return nil
}

// add adds the finding that err carries; another error ends the check.
func (c *checker) add(err error) {
	var f *Finding
	if errors.As(err, &f) {
		c.Findings = append(c.Findings, *f)
	} else if err != nil {
		c.err = err
	}
}

func (c *checker) report(kind FindingKind, rollout, tree string, key []byte, format string, args ...any) {
	c.add(finding(kind, rollout, tree, key, fmt.Sprintf(format, args...)))
}

// located is a record with its key, whole and taken apart.
type located struct {
	item *badger.Item
	key  []byte
	id   string
	rest []byte
}

// each yields every record of a kind whose key has the form of the kind.
func (c *checker) each(kind byte) iter.Seq[located] {
	return func(yield func(located) bool) {
		for key, item := range items(c.txn, []byte{kind}, nil, false) {
			if err := c.ctx.Err(); err != nil {
				c.add(sparkd.AsError(err))
			}
			if c.err != nil {
				return
			}
			_, id, rest, ok := splitKey(key)
			if !ok {
				c.report(Dangling, "", "", key, "no record of this store has such a key")
			} else if !yield(located{item, key, id, rest}) {
				return
			}
		}
	}
}

func (c *checker) checkRollouts() {
	for at := range c.each(kindRollout) {
		c.Rollouts++
		c.rollouts[at.id] = nil // known, not readable
		if r, err := readRollout(c.txn, at.id); err != nil {
			c.add(err)
		} else {
			c.rollouts[at.id] = &r
		}
	}
	for at := range c.each(kindState) {
		if _, known := c.rollouts[at.id]; !known {
			c.Rollouts++
			c.rollouts[at.id] = nil
			c.report(Missing, at.id, "", rolloutKey(at.id), "the rollout's request is missing, its state exists")
		}
	}
}

// checkTrees reads every tree with all its nodes.
func (c *checker) checkTrees() {
	for at := range c.each(kindTree) {
		c.Trees++
		h, err := readHead(c.txn, at.id)
		c.trees[at.id] = h
		if err != nil {
			c.add(err)
			continue
		}
		if h.finished() {
			c.Finished++
		}
		if err := loadNodes(c.txn, h); err != nil {
			c.add(inTree(err, h.Rollout, at.id))
		}
		c.Nodes += len(h.Nodes)
		c.checkReturns(&h.Tree)
		h.Nodes = nil
	}
}

// checkReturns looks for trajectories whose rewards no export can compare.
func (c *checker) checkReturns(t *sparkd.Tree) {
	for _, n := range t.Ended() {
		if r := t.Return(n.ID); !sparkd.Finite(r) {
			f := Finding{Kind: Infinite, Rollout: t.Rollout, Tree: t.ID, Key: describeKey(treeKey(t.ID)),
				Problem: fmt.Sprintf("the rewards on the path to node %d add up to %v", n.ID, r),
				Remedy:  "exports leave the tree out; other rewards make it one of them: sparkd export --reward-cmd"}
			c.add(f.err())
			return
		}
	}
}

// checkNodes looks for node records that no header counts.
func (c *checker) checkNodes() {
	orphan := ""
	for at := range c.each(kindNodes) {
		h, known := c.trees[at.id]
		switch {
		case !known && at.id != orphan:
			orphan = at.id
			c.report(Missing, "", at.id, treeKey(at.id), "the tree's header is missing, nodes of it exist")
		case h != nil && int(binary.BigEndian.Uint32(at.rest)) >= h.Count:
			c.Leftovers++
		}
	}
}

// checkReferences compares rollouts with their trees.
func (c *checker) checkReferences() {
	lists := map[string]string{} // tree → the rollout that lists it
	for _, r := range readable(c.rollouts) {
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
	for _, h := range readable(c.trees) {
		r, known := c.rollouts[h.Rollout]
		switch {
		case !known:
			c.report(Missing, h.Rollout, h.ID, rolloutKey(h.Rollout), "the tree's rollout is missing")
		case r != nil && lists[h.ID] != r.ID:
			c.report(Dangling, h.Rollout, h.ID, treeKey(h.ID), "the tree's rollout does not list it")
		}
	}
}
