package store

import (
	"context"
	"errors"
	"iter"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// EventDamaged is the kind that Events gives an event whose record is damaged: of such a
// one Seq and Error are all that is left, and the events behind it stay readable.
const EventDamaged sparkd.EventKind = "damaged"

// LoggedEvent is an event and the cursor that goes on behind it.
type LoggedEvent struct {
	Cursor string
	sparkd.Event
}

// Events returns up to limit events behind a cursor, or behind a sequence number in decimal, in order; "" is the
// beginning. Sequence numbers are dense: a gap in front of the first says that the events between have been trimmed
// from the log (Options.Events), or lost. Errors are of code conflict where the cursor is not of this store's log.
func (s *Store) Events(ctx context.Context, after string, limit int) ([]LoggedEvent, error) {
	var out []LoggedEvent
	err := s.view(ctx, func(txn *badger.Txn) error {
		seq, err := s.placeOf(txn, &eventCursor, after)
		if err != nil {
			return err
		}
		for key, item := range items(txn, []byte{kindEvent}, eventKey(seq+1), true) {
			if len(out) >= limit {
				break
			}
			e, err := s.readEvent(key, item)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return ctx.Err()
	})
	return out, err
}

func (s *Store) readEvent(key []byte, item *badger.Item) (e LoggedEvent, err error) {
	err = item.Value(func(value []byte) error {
		e.Cursor = s.cursorAt(&eventCursor, seqOf(key), value)
		return nil
	})
	if err != nil {
		return e, err
	}
	if err := readItemJSON(item, key, &e.Event); err != nil {
		e.Event = sparkd.Event{Seq: seqOf(key), Kind: EventDamaged, Error: sparkd.AsError(err)}
	}
	return e, nil
}

// LastEvent returns the cursor behind the newest event.
func (s *Store) LastEvent(ctx context.Context) (at string, err error) {
	err = s.view(ctx, func(txn *badger.Txn) error {
		seq := s.last.Load()
		at = s.cursorAt(&eventCursor, seq, nil)
		item, err := txn.Get(eventKey(seq))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil // none was logged, or it is lost
		} else if err != nil {
			return err
		}
		e, err := s.readEvent(eventKey(seq), item)
		at = e.Cursor
		return err
	})
	return at, err
}

// items yields the records whose keys have a prefix, from the key from on or from the first. Only a reader of most
// values gains by values being fetched ahead.
func items(txn *badger.Txn, prefix, from []byte, values bool) iter.Seq2[[]byte, *badger.Item] {
	return func(yield func([]byte, *badger.Item) bool) {
		opt := badger.DefaultIteratorOptions
		opt.Prefix, opt.PrefetchValues = prefix, values
		it := txn.NewIterator(opt)
		defer it.Close()
		for it.Seek(from); it.Valid() && yield(it.Item().KeyCopy(nil), it.Item()); it.Next() {
		}
	}
}

// recoverSequence finds the first and last event of the log. Numbers that the high-water file knows to be used are
// never given out again: the gap tells Check, and every reader of events, that commits were lost.
func (s *Store) recoverSequence() (err error) {
	defer recoverDamage(&err)
	var first, last uint64
	err = s.db.View(func(txn *badger.Txn) error {
		for key := range items(txn, []byte{kindEvent}, nil, false) {
			first = seqOf(key)
			break
		}
		it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{kindEvent}, Reverse: true})
		defer it.Close()
		if it.Seek([]byte{kindEvent + 1}); it.Valid() {
			last = seqOf(it.Item().Key())
		}
		return nil
	})
	if err != nil {
		return storeError(err)
	}
	s.oldest.Store(first)
	s.last.Store(last)
	if s.water == nil {
		return nil
	}
	if !s.water.valid {
		s.opt.Logger.Warn().Msg("the high-water file is damaged; a loss of the last commits would not be noticed")
	}
	if lost := s.water.seq; lost > last {
		s.opt.Logger.Error().Uint64("stored", last).Uint64("committed", lost).
			Msg("the last commits are lost; run sparkd check, trees grow on from what is left")
		s.last.Store(lost)
	}
	return nil
}

// Subscribe returns a channel that holds a wake-up after any commit; many commits may be one wake-up. Readers then ask
// Events for what is new. cancel ends it; the channel is not closed.
func (s *Store) Subscribe() (wake <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	s.subscribers.Store(c, nil)
	return c, func() { s.subscribers.Delete(c) }
}

func (s *Store) wakeSubscribers() {
	s.subscribers.Range(func(c, _ any) bool {
		select {
		case c.(chan struct{}) <- struct{}{}:
		default: // it has one already
		}
		return true
	})
}
