package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// A rollout is two records: what was asked for, which can be large and hardly ever changes, and how far it has come.
type rolloutHead struct {
	ID      string      `json:"id"`
	Spec    sparkd.Spec `json:"spec"`
	Trees   []string    `json:"trees"`
	Created time.Time   `json:"created"`
}

type rolloutState struct {
	State    sparkd.RolloutState `json:"state"`
	Error    *sparkd.Error       `json:"error,omitempty"`
	Done     int                 `json:"done"`
	Failed   int                 `json:"failed"`
	Stats    sparkd.Stats        `json:"stats"`
	Started  time.Time           `json:"started,omitzero"`
	Finished time.Time           `json:"finished,omitzero"`
	// The place in the list of rollouts, which is read without their requests; never changed.
	Seq     uint64    `json:"seq,omitempty"`    // of the event that said that it was queued
	Created time.Time `json:"created,omitzero"` // as in its head
}

func headOf(r *sparkd.Rollout) rolloutHead {
	return rolloutHead{ID: r.ID, Spec: r.Spec, Trees: r.Trees, Created: r.Created.UTC()}
}

func stateOf(r *sparkd.Rollout) rolloutState {
	return rolloutState{State: r.State, Error: r.Error, Done: r.Done, Failed: r.Failed, Stats: r.Stats,
		Started: r.Started.UTC(), Finished: r.Finished.UTC()}
}

func join(h rolloutHead, s rolloutState) sparkd.Rollout {
	return sparkd.Rollout{ID: h.ID, Spec: h.Spec, State: s.State, Error: s.Error, Trees: h.Trees, Done: s.Done,
		Failed: s.Failed, Stats: s.Stats, Created: h.Created, Started: s.Started, Finished: s.Finished}
}

// stateSize estimates a rollout's state record with its event.
const stateSize = 2048

// CreateRollout stores a new rollout. Where its id exists with the same spec it changes nothing and returns the
// stored rollout and false; with another spec it fails with code conflict.
func (s *Store) CreateRollout(ctx context.Context, r sparkd.Rollout) (stored sparkd.Rollout, created bool, err error) {
	if err := checkID("id", r.ID); err != nil {
		return sparkd.Rollout{}, false, err
	}
	head, state := headOf(&r), stateOf(&r)
	encoded, err := json.Marshal(&head)
	if err != nil {
		return sparkd.Rollout{}, false, errRequest(err)
	}
	var result struct { // written by the commit loop, read once it has answered
		stored  sparkd.Rollout
		created bool
	}
	err = s.write(ctx, len(encoded)+stateSize, func(b *batch) error {
		old, err := readRollout(b.txn, r.ID)
		switch {
		case err == nil && !sameSpec(&old.Spec, &r.Spec):
			const remedy = "use a new id, or repeat the request as it was"
			return sparkd.NewError(sparkd.CodeConflict, "id", remedy, "rollout %q exists with another request", r.ID)
		case err == nil:
			result.stored, result.created = old, false
			return nil
		case sparkd.CodeOf(err) != sparkd.CodeNotFound:
			return err
		}
		b.put(rolloutKey(r.ID), encoded)
		state.Seq, state.Created = b.seq+1, head.Created
		b.putState(r.ID, &state)
		result.stored, result.created = join(head, state), true
		return nil
	})
	if err != nil {
		return sparkd.Rollout{}, false, err
	}
	if result.created {
		s.order.add(listed{state.Seq, state.Created, r.ID})
	}
	return result.stored, result.created, nil
}

func errRequest(cause error) error {
	return sparkd.Invalid("spec", "numbers must be finite", "the request cannot be stored: %v", cause)
}

func sameSpec(a, b *sparkd.Spec) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// putState puts a state with its event. The end of a rollout is forced to the disk.
func (b *batch) putState(id string, st *rolloutState) {
	b.putJSON(stateKey(id), st)
	b.event(sparkd.Event{
		Kind: sparkd.EventRollout, Rollout: id, State: string(st.State), Stats: &st.Stats, Error: st.Error,
	})
	b.sync = b.sync || st.State.Ended()
}

// PutRollout stores how far a rollout has come, and its tree ids where they changed;
// its spec stays as it was created. A new state is an event. The request of a rollout of
// many trees is long: the commit loop compares its bytes and does not decode it.
func (s *Store) PutRollout(ctx context.Context, r sparkd.Rollout) error {
	if err := checkID("id", r.ID); err != nil {
		return err
	}
	state, trees := stateOf(&r), slices.Clone(r.Trees)
	head, err := json.Marshal(headOf(&r))
	if err != nil {
		return errRequest(err)
	}
	return s.write(ctx, len(head)+stateSize, func(b *batch) error {
		var old rolloutState
		same := false
		err := read(b.txn, rolloutKey(r.ID), func(_ byte, stored []byte) error {
			same = bytes.Equal(stored, head)
			return nil
		})
		if err == nil {
			err = readJSON(b.txn, stateKey(r.ID), &old)
		}
		if err != nil || !same {
			stored, err := readRollout(b.txn, r.ID) // it has the spec, or says what is missing
			if err != nil {
				return err
			}
			changed := headOf(&stored)
			changed.Trees = trees
			b.putJSON(rolloutKey(r.ID), &changed)
		}
		state.Seq, state.Created = old.Seq, old.Created
		if old.State == state.State {
			b.putJSON(stateKey(r.ID), &state)
		} else {
			b.putState(r.ID, &state)
		}
		return nil
	})
}

// Rollout returns a rollout, or an error of code not_found.
func (s *Store) Rollout(ctx context.Context, id string) (r sparkd.Rollout, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		r, err = readRollout(txn, id)
		return err
	})
	return r, err
}

// readRollout reads both records. One without the other is damage.
func readRollout(txn *badger.Txn, id string) (sparkd.Rollout, error) {
	var head rolloutHead
	var state rolloutState
	errHead := readJSON(txn, rolloutKey(id), &head)
	errState := readJSON(txn, stateKey(id), &state)
	switch {
	case errHead == nil && errState == nil && head.ID != id:
		problem := fmt.Sprintf("the record is that of rollout %q", head.ID)
		return sparkd.Rollout{}, finding(Altered, id, "", rolloutKey(id), problem)
	case errHead == nil && errState == nil:
		return join(head, state), nil
	case errors.Is(errHead, errMissing) && errors.Is(errState, errMissing):
		return sparkd.Rollout{}, notFound("rollout", id)
	case errors.Is(errHead, errMissing):
		return sparkd.Rollout{}, finding(Missing, id, "", rolloutKey(id), "the rollout's request is missing")
	case errors.Is(errState, errMissing):
		return sparkd.Rollout{}, finding(Missing, id, "", stateKey(id), "the rollout's state is missing")
	}
	return sparkd.Rollout{}, inTree(errors.Join(errHead, errState), id, "")
}

// Unfinished returns the rollouts that have not ended, in order of their ids. Damaged ones do not keep back the
// others: they are in the error, beside the list.
func (s *Store) Unfinished(ctx context.Context) (rollouts []sparkd.Rollout, err error) {
	var broken []error
	err = s.view(ctx, func(txn *badger.Txn) error {
		for id := range rolloutIDs(txn) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var state rolloutState
			if err := readJSON(txn, stateKey(id), &state); err == nil && state.State.Ended() {
				continue
			}
			r, err := readRollout(txn, id)
			if err != nil {
				broken = append(broken, err)
			} else {
				rollouts = append(rollouts, r)
			}
		}
		return nil
	})
	return rollouts, errors.Join(append(broken, err)...)
}

// rolloutIDs yields the ids of all rollouts, in order.
func rolloutIDs(txn *badger.Txn) iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range items(txn, []byte{kindRollout}, nil, false) {
			if _, id, _, ok := splitKey(key); ok && !yield(id) { // Check reports other keys
				return
			}
		}
	}
}

// checkID refuses ids that cannot be part of a key.
func checkID(field, id string) error {
	if id == "" || len(id) > maxID || strings.IndexByte(id, 0) >= 0 {
		remedy := fmt.Sprintf("use 1 to %d bytes without zero bytes", maxID)
		return sparkd.Invalid(field, remedy, "%q cannot be an id", id)
	}
	return nil
}
