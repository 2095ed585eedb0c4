package store

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// checkCompleted compares the completion log, and every rollout's own, with the headers of the finished trees.
func (c *checker) checkCompleted() {
	type place struct {
		rollout string // "" for the log of all
		seq     uint64
	}
	listed := map[place]bool{}
	for _, kind := range []byte{kindCompleted, kindCompletedOf} {
		for at := range c.each(kind) {
			seq := seqOf(at.key)
			listed[place{at.id, seq}] = true
			c.checkCompletion(at, seq)
		}
	}
	for _, h := range readable(c.trees) {
		for _, rollout := range []string{"", h.Rollout} {
			if h.finished() && !listed[place{rollout, h.Completed}] {
				c.report(Missing, h.Rollout, h.ID, completedKey(rollout, h.Completed),
					"the tree is finished and its entry in the completion log is missing")
			}
		}
	}
}

func (c *checker) checkCompletion(at located, seq uint64) {
	var e completion
	if err := readItemJSON(at.item, at.key, &e); err != nil {
		c.add(inTree(err, at.id, ""))
		return
	}
	switch h, known := c.trees[e.Tree]; {
	case !known:
		c.report(Missing, e.Rollout, e.Tree, treeKey(e.Tree), "the tree is in the completion log and nowhere else")
	case h != nil && h.Completed != seq:
		c.report(Mismatch, e.Rollout, e.Tree, at.key,
			"the completion log has the tree as %d, its header as %d", seq, h.Completed)
	}
}

// checkEvents looks for gaps, since event numbers are dense up to the last one
// committed, and for records older than the event that was committed with them.
func (c *checker) checkEvents() {
	next := uint64(0)                          // unknown: the log is trimmed from the front
	states := map[string]sparkd.RolloutState{} // of every rollout after its last event
	for at := range c.each(kindEvent) {
		c.Events++
		var e sparkd.Event
		seq := seqOf(at.key)
		if next > 0 && seq != next {
			c.lost(next, seq-1)
		}
		next = seq + 1
		if err := readItemJSON(at.item, at.key, &e); err != nil {
			c.add(err)
			continue
		}
		c.checkEvent(&e)
		if e.Kind == sparkd.EventRollout {
			states[e.Rollout] = sparkd.RolloutState(e.State)
		}
	}
	if c.err == nil && c.last >= max(next, 1) {
		c.lost(max(next, 1), c.last)
	}
	for id, state := range states {
		if r := c.rollouts[id]; r != nil && r.State != state {
			c.report(Mismatch, id, "", stateKey(id), "the rollout is %s, its last event says %s", r.State, state)
		}
	}
}

// checkEvent compares an event with the records of its rollout and its tree.
func (c *checker) checkEvent(e *sparkd.Event) {
	if _, known := c.rollouts[e.Rollout]; !known {
		c.report(Missing, e.Rollout, "", rolloutKey(e.Rollout), "event %d is of a rollout that is missing", e.Seq)
		c.rollouts[e.Rollout] = nil // report it once
	}
	if e.Tree == "" {
		return
	}
	switch h, known := c.trees[e.Tree]; {
	case !known:
		c.report(Missing, e.Rollout, e.Tree, treeKey(e.Tree), "event %d is of a tree that is missing", e.Seq)
	case h != nil && h.Round < e.Round:
		c.report(Mismatch, e.Rollout, e.Tree, treeKey(e.Tree),
			"the tree has %d rounds, event %d is of round %d", h.Round, e.Seq, e.Round)
	default:
		return
	}
	c.trees[e.Tree] = nil // report it once
}

func (c *checker) lost(from, to uint64) {
	const problem = "the commits of events %d to %d are lost: the disk dropped or altered them, or the power failed"
	c.Findings = append(c.Findings, Finding{
		Kind:    Lost,
		Key:     describeKey(eventKey(from)),
		Problem: fmt.Sprintf(problem, from, to),
		Remedy: "nothing else is affected: unfinished trees grow on from what is left; check the disk, " +
			"or use sync = \"always\"",
	})
}

// checkUnknownKeys looks for keys of no known kind.
func (c *checker) checkUnknownKeys() {
	it := c.txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		key := it.Item().KeyCopy(nil)
		if _, known := forms[key[0]]; known {
			it.Seek([]byte{key[0] + 1}) // looked at above
			continue
		}
		c.report(Dangling, "", "", key, "no record of this store has such a key")
		it.Next()
	}
}

// readable returns the values of m that are not nil, in the order of their keys.
func readable[V any](m map[string]*V) []*V {
	out := make([]*V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if v := m[k]; v != nil {
			out = append(out, v)
		}
	}
	return out
}
