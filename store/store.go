// Package store keeps rollouts, trees and events in Badger. A round of a tree is one atomic commit; what was
// acknowledged survives the death of the process, and what the disk loses or alters is noticed: every record
// carries a checksum of its key and payload, and every tree header the number and a rolling hash of its nodes.
// DESIGN.md has the layout of the keys and says what survives what.
package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/internal/settings"
)

// The sync policies: when a commit is forced to the disk. Whatever the policy, an acknowledged commit survives the
// death of the process, because Badger writes its log through a shared memory map that the kernel owns.
const (
	SyncAlways = "always" // before it is acknowledged; survives a power failure
	SyncRound  = "round"  // when its rollout ends; rounds since then are the kernel's
	SyncOS     = "os"     // when the kernel likes, and at Close
)

// Options of Open, the section [store] of the configuration.
type Options struct {
	Sync   string `toml:"sync" default:"round" choices:"always,round,os"` // SyncAlways, SyncRound or SyncOS
	Events int    `toml:"events" default:"100000" range:"1..1073741824"`  // that the event log keeps
	// MinFree is the number of bytes that must stay free on the disk; below it writes are refused. Badger writes
	// through memory maps of sparse files, so a really full disk would not be an error but a SIGBUS. The default
	// is room for the write-ahead logs, one flush and a compaction.
	MinFree int64 `toml:"min_free" default:"256MiB" range:">0"`

	InMemory bool // keep nothing on disk; the folder is ignored
	// ReadOnly opens a store that exists, beside other readers, and writes nothing into its
	// folder, which may be write-protected. Every write is refused.
	ReadOnly bool
	Logger   zerolog.Logger
	// Fail makes commits fail for tests: it is called in place of every commit, and may call it.
	Fail func(commit func() error) error
}

// formatVersion is written to Badger's manifest; a store of a later one is refused. It is
// raised only with a change that an older sparkd cannot read, see docs/store.md.
const formatVersion = 2

const (
	memTableSize   = 32 << 20 // with it a transaction may hold 15 %, 5 MB
	blockCacheSize = 64 << 20
)

// Store is an open store. It is safe for concurrent use.
type Store struct {
	opt     Options
	dir     string // "" in memory
	id      string // of what is stored, kept by copies of the folder; "" where a reader found none
	scratch string // where ReadOnly, the folder that Badger reads; see view.go
	db      *badger.DB
	water   *highWater                   // nil in memory
	free    func() (int64, error)        // free bytes of the disk; replaced by tests
	commit  func(txn *badger.Txn) error  // replaced by tests to fail
	now     func() time.Time             // stamps events; replaced by tests
	ops     chan *op                     // to the commit loop
	quit    chan struct{}                // closed by Close
	ended   chan struct{}                // closed when the commit loop has ended
	broken  atomic.Pointer[sparkd.Error] // set once a commit failed: no more writes

	// Written by the commit loop alone, read by anyone.
	last   atomic.Uint64 // sequence number of the last committed event
	oldest atomic.Uint64 // of the oldest event that is kept
	counts atomic.Pointer[Counters]

	subscribers sync.Map // of channels, see Subscribe
	order       order    // of the rollouts

	// Held for reading by every use of db, so that Close waits for them.
	using  sync.RWMutex
	closed bool
}

// Open opens the store in folder dir, which is made when it does not exist. Errors are of code conflict where another
// process uses the folder, of code damaged where its files are, and of code store otherwise; all carry a remedy.
func Open(dir string, opt Options) (*Store, error) {
	if err := settings.Check("store", &opt).Err(); err != nil {
		return nil, err
	}
	s := &Store{
		opt:    opt,
		commit: (*badger.Txn).Commit,
		now:    time.Now,
		ops:    make(chan *op, 64),
		quit:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	s.counts.Store(&Counters{})
	if opt.Fail != nil {
		s.commit = func(txn *badger.Txn) error { return opt.Fail(txn.Commit) }
	}
	if opt.InMemory {
		s.id = sparkd.NewID(time.Now())
	} else {
		s.dir = dir
		s.free = func() (int64, error) { return freeBytes(dir) }
		err := s.prepareFolder()
		if err == nil {
			err = s.checkFree()
		}
		if err != nil {
			return nil, errors.Join(err, s.water.close())
		}
	}
	if err := s.openBadger(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	err := s.recoverSequence()
	if err == nil && opt.ReadOnly {
		err = s.warnOfCut()
	}
	if err != nil {
		return nil, errors.Join(err, s.db.Close(), s.closeFiles())
	}
	go s.commitLoop()
	return s, nil
}

// openBadger opens the database with room for a laptop. No value reaches the threshold above which Badger would
// move it to its value log: the value log stays empty, needs no garbage collection, and its read path, which can
// return empty values without an error after bit rot, is never taken. Conflict detection is off because the commit
// loop is the only writer.
func (s *Store) openBadger() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = openError(s.dir, fmt.Errorf("badger: %v", r))
		}
	}()
	opt := badger.DefaultOptions(s.dir).
		WithInMemory(s.opt.InMemory).
		WithSyncWrites(s.opt.Sync == SyncAlways).
		WithExternalMagic(formatVersion).
		WithLogger(badgerLogger{s.opt.Logger}).
		WithMemTableSize(memTableSize).
		WithNumMemtables(3).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(blockCacheSize).
		WithNumCompactors(2).
		WithCompression(options.Snappy).
		WithDetectConflicts(false)
	switch {
	case s.opt.ReadOnly:
		return s.openView(opt)
	case s.dir != "":
		if err := s.guardTables(opt); err != nil {
			return err
		}
		if err := raiseFormat(s.dir); err != nil {
			return err
		}
	}
	s.db, err = badger.Open(opt)
	if err != nil {
		return openError(s.dir, err)
	}
	return nil
}

// Close waits for reads and the commit under way, writes everything to the disk and
// gives the folder free. Writes that wait are refused. Closing twice is no error.
func (s *Store) Close() error {
	s.using.Lock()
	defer s.using.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.quit)
	<-s.ended
	return errors.Join(s.db.Close(), s.water.sync(), s.closeFiles())
}

// closeFiles closes what is not Badger's.
func (s *Store) closeFiles() error { return errors.Join(s.water.close(), os.RemoveAll(s.scratch)) }

// view runs fn in a read transaction. It turns a panic inside Badger, which reads
// damaged tables without much care, into an error.
func (s *Store) view(ctx context.Context, fn func(txn *badger.Txn) error) (err error) {
	if err := ctx.Err(); err != nil {
		return sparkd.AsError(err)
	}
	s.using.RLock()
	defer s.using.RUnlock()
	if s.closed {
		return errClosed()
	}
	defer recoverDamage(&err)
	return storeError(s.db.View(fn))
}

// badgerLogger passes Badger's messages on. What Badger calls information is about
// its levels and tables: debug output for anyone else.
type badgerLogger struct{ log zerolog.Logger }

func (l badgerLogger) Errorf(format string, args ...any)   { say(l.log.Error(), format, args) }
func (l badgerLogger) Warningf(format string, args ...any) { say(l.log.Warn(), format, args) }
func (l badgerLogger) Infof(format string, args ...any)    { say(l.log.Debug(), format, args) }
func (l badgerLogger) Debugf(format string, args ...any)   { say(l.log.Trace(), format, args) }

func say(e *zerolog.Event, format string, args []any) {
	e.Str("from", "badger").Msgf(strings.TrimSuffix(format, "\n"), args...)
}
