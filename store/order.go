package store

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// listed is a rollout's place in the list of all. Ids that callers choose say nothing of time, and clocks are set
// back: what counts is the number of the event that said that the rollout is queued. Those of earlier versions, which
// did not keep it, are the oldest, in order of their times.
type listed struct {
	seq     uint64
	created time.Time
	id      string
}

// order is the list of all rollouts, oldest first. It is read once and kept up by the commit loop.
type order struct {
	mu       sync.Mutex
	known    bool
	rollouts []listed // only ever appended to: what was handed out stays as it is
}

// all returns the list as of now. A rollout whose records are damaged is among the oldest.
func (o *order) all(ctx context.Context, db *badger.DB) ([]listed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.known {
		return o.rollouts, nil
	}
	var list []listed
	err := db.View(func(txn *badger.Txn) error { // of now: what is committed later is appended
		for id := range rolloutIDs(txn) {
			list = append(list, listedAt(txn, id))
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	o.rollouts, o.known = list, true
	return list, nil
}

func listedAt(txn *badger.Txn, id string) listed {
	at := listed{id: id}
	var state rolloutState
	if readJSON(txn, stateKey(id), &state) == nil {
		at.seq, at.created = state.Seq, state.Created
	}
	if at.created.IsZero() {
		var head rolloutHead
		if readJSON(txn, rolloutKey(id), &head) == nil {
			at.created = head.Created
		}
	}
	return at
}

// add appends a rollout that was just committed, unless the list was read with it.
func (o *order) add(at listed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n := len(o.rollouts); o.known && (n == 0 || o.rollouts[n-1].seq < at.seq) {
		o.rollouts = append(o.rollouts, at)
	}
}
