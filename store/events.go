package store

import (
	"context"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// EventDamaged is the kind that Events gives an event whose record is damaged: of such a
// one Seq and Error are all that is left, and the events behind it stay readable.
const EventDamaged sparkd.EventKind = "damaged"

// Events returns up to limit events with a sequence number above after, in order. Sequence numbers are dense: a
// first one above after+1 says that the events between have been trimmed from the log (Options.Events), or lost.
func (s *Store) Events(ctx context.Context, after uint64, limit int) ([]sparkd.Event, error) {
	var out []sparkd.Event
	err := s.view(ctx, func(txn *badger.Txn) error {
		it := prefixIterator(txn, []byte{kindEvent}, true)
		defer it.Close()
		for it.Seek(eventKey(after + 1)); it.Valid() && len(out) < limit; it.Next() {
			var e sparkd.Event
			key := it.Item().KeyCopy(nil)
			if err := readItemJSON(it.Item(), key, &e); err != nil {
				e = sparkd.Event{Seq: seqOf(key), Kind: EventDamaged, Error: sparkd.AsError(err)}
			}
			out = append(out, e)
		}
		return ctx.Err()
	})
	return out, err
}

// prefixIterator iterates over the keys with a prefix. Only a reader of most values
// gains by values being fetched ahead.
func prefixIterator(txn *badger.Txn, prefix []byte, values bool) *badger.Iterator {
	opt := badger.DefaultIteratorOptions
	opt.Prefix = prefix
	opt.PrefetchValues = values
	return txn.NewIterator(opt)
}

// recoverSequence finds the first and last event of the log. Numbers that the high-water file knows to be used are
// never given out again: the gap tells Check, and every reader of events, that commits were lost.
func (s *Store) recoverSequence() (err error) {
	defer recoverDamage(&err)
	var first, last uint64
	err = s.db.View(func(txn *badger.Txn) error {
		opt := badger.DefaultIteratorOptions
		opt.Prefix, opt.PrefetchValues = []byte{kindEvent}, false
		it := txn.NewIterator(opt)
		if it.Rewind(); it.Valid() {
			first = seqOf(it.Item().Key())
		}
		it.Close()
		opt.Reverse = true
		it = txn.NewIterator(opt)
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

// subscribers are woken after every commit.
type subscribers struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
}

// Subscribe returns a channel that holds a wake-up after any commit; many commits may be one wake-up. Readers then
// ask Events for what is new. cancel ends it; the channel is not closed.
func (s *Store) Subscribe() (wake <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	subs := &s.subscribers
	subs.mu.Lock()
	defer subs.mu.Unlock()
	if subs.all == nil {
		subs.all = map[chan struct{}]struct{}{}
	}
	subs.all[c] = struct{}{}
	return c, func() {
		subs.mu.Lock()
		defer subs.mu.Unlock()
		delete(subs.all, c)
	}
}

func (s *subscribers) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		select {
		case c <- struct{}{}:
		default: // it has one already
		}
	}
}
