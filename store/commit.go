package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// One goroutine commits. Whatever waits when it is free goes into one transaction, so that many trees share one
// write to the disk (group commit). Being alone, it hands out event sequence numbers that are dense and that
// readers see in order: an event becomes visible with its transaction, and the next transaction starts after it.

// op is a write that waits for the commit loop.
type op struct {
	size int                // of what it writes, about, in bytes
	run  func(*batch) error // checks everything, then puts; where it fails it has put nothing. May run twice
	done chan error         // holds one
}

// batch is the transaction being built.
type batch struct {
	Counters // as they are with it
	txn      *badger.Txn
	now      time.Time
	seq      uint64 // of the last event put
	oldest   uint64
	sync     bool  // force it to the disk
	err      error // a put failed: the whole batch is dropped
}

const (
	maxBatch    = 1 << 20 // an op joins a batch of fewer bytes
	maxOp       = 1 << 20 // with maxBatch well below Badger's limit of 15 % of memTableSize
	maxBatchOps = 256
	maxTrim     = 512 // events that one batch removes
)

// write runs an op. When ctx ends while the op is under way the outcome is unknown; the caller finds it by reading.
func (s *Store) write(ctx context.Context, size int, run func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return sparkd.AsError(err)
	}
	o := &op{size: size, run: run, done: make(chan error, 1)}
	select {
	case s.ops <- o:
	case <-ctx.Done():
		return sparkd.AsError(ctx.Err())
	case <-s.quit:
		return errClosed()
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return sparkd.AsError(ctx.Err())
	case <-s.ended:
		select {
		case err := <-o.done:
			return err
		default:
			return errClosed()
		}
	}
}

func (s *Store) commitLoop() {
	defer close(s.ended)
	for {
		select {
		case o := <-s.ops:
			s.commitOps(s.gather(o))
		case <-s.quit:
			return
		}
	}
}

// gather adds to o what else waits now.
func (s *Store) gather(o *op) []*op {
	ops, size := []*op{o}, o.size
	for size < maxBatch && len(ops) < maxBatchOps {
		select {
		case o := <-s.ops:
			ops, size = append(ops, o), size+o.size
		default:
			return ops
		}
	}
	return ops
}

// commitOps commits ops as one transaction and answers each. An op that fails its own
// checks does not hold back the others.
func (s *Store) commitOps(ops []*op) {
	if err := s.writable(); err != nil {
		answer(ops, err)
		return
	}
	b := &batch{Counters: *s.counts.Load(), seq: s.last.Load(), oldest: s.oldest.Load(), now: s.now().UTC()}
	b.Commits++
	b.txn = s.db.NewTransaction(true)
	defer b.txn.Discard()
	passed := ops[:0]
	for _, o := range ops {
		if err := b.run(o); err != nil {
			o.done <- err
			continue
		}
		passed = append(passed, o)
	}
	b.trim(s.opt.Events)
	switch {
	case b.err != nil && len(passed) > 1: // one of them; the others do not suffer for it
		for _, o := range passed {
			s.commitOps([]*op{o})
		}
		return
	case b.err != nil:
		answer(passed, storeError(b.err))
		return
	}
	if err := s.commit(b.txn); err != nil {
		answer(passed, s.breakDown(err))
		return
	}
	err := s.committed(b)
	answer(passed, err)
	s.wakeSubscribers()
}

func answer(ops []*op, err error) {
	for _, o := range ops {
		o.done <- err
	}
}

func (s *Store) writable() error {
	if e := s.broken.Load(); e != nil {
		return e
	}
	if s.opt.ReadOnly {
		const remedy = "write through the daemon that uses it"
		return sparkd.NewError(sparkd.CodeStore, "", remedy, "the store is open for reading only")
	}
	return s.checkFree()
}

// breakDown stops all further writes. A commit that failed half-way may have reached the log or not, and Badger's
// view in memory is not to be trusted before it has replayed the log: that is what a restart does.
func (s *Store) breakDown(cause error) error {
	e := sparkd.NewError(sparkd.CodeStore, "", remedyBroken, "a commit failed: %v", cause).Because(cause)
	s.broken.Store(e)
	s.opt.Logger.Error().Err(cause).Msg("a commit failed; the store takes no more writes")
	return e
}

// committed takes over what the batch has made true.
func (s *Store) committed(b *batch) error {
	s.last.Store(b.seq)
	s.oldest.Store(b.oldest)
	s.counts.Store(&b.Counters)
	if err := s.water.write(b.seq); err != nil {
		s.opt.Logger.Warn().Err(err).Msg("the loss of later commits would not be noticed")
	}
	if !b.sync || s.dir == "" || s.opt.Sync == SyncOS {
		return nil
	}
	if err := errors.Join(syncLogs(s.dir), s.water.sync()); err != nil {
		return s.breakDown(err)
	}
	return nil
}

func (b *batch) run(o *op) (err error) {
	defer recoverDamage(&err)
	return storeError(o.run(b))
}

// put writes payload under key.
func (b *batch) put(key, payload []byte) {
	value := seal(key, payload)
	if len(value) > maxValue && b.err == nil {
		b.err = sparkd.Errorf(sparkd.CodeTooLarge,
			"record %s has %d bytes; the limit is %d", describeKey(key), len(value), maxValue)
	}
	b.set(b.txn.Set(key, value))
	b.Bytes += uint64(len(key) + len(value))
}

func (b *batch) putJSON(key []byte, v any) {
	payload, err := json.Marshal(v)
	b.set(err)
	b.put(key, payload)
}

func (b *batch) set(err error) {
	if b.err == nil {
		b.err = err
	}
}

// event puts the next event of the log and returns its sequence number.
func (b *batch) event(e sparkd.Event) uint64 {
	b.seq++
	if b.oldest == 0 {
		b.oldest = b.seq
	}
	e.Seq, e.Time = b.seq, b.now
	b.putJSON(eventKey(b.seq), &e)
	return b.seq
}

// trim removes the oldest events beyond the newest keep.
func (b *batch) trim(keep int) {
	for i := 0; i < maxTrim && b.oldest > 0 && b.seq-b.oldest >= uint64(keep); i++ {
		b.set(b.txn.Delete(eventKey(b.oldest)))
		b.oldest++
	}
}
