package store

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"

	"sparkd"
)

// guardTables refuses to write into a folder whose manifest was cut: it does not name the newest tables any more, and
// Badger removes what it does not name. A flush or a compaction that was killed leaves such tables too, but what they
// hold is elsewhere as well: then no event and no record is missing.
func (s *Store) guardTables(opt badger.Options) error {
	unnamed, err := s.unnamed()
	if err != nil || len(unnamed) == 0 {
		return err
	}
	seen := &Store{opt: s.opt, dir: s.dir}
	if err := seen.openView(opt); err != nil {
		return errors.Join(err, seen.closeFiles())
	}
	whole, err := seen.holds(s.water, unnamed)
	if err = errors.Join(err, seen.db.Close(), seen.closeFiles()); err != nil || whole {
		return err
	}
	const remedy = "restore the folder, or its MANIFEST, from a backup; nothing was changed, and sparkd check and " +
		"sparkd export read what is left"
	return sparkd.NewError(sparkd.CodeDamaged, "", remedy,
		"the store in %s is not opened for writing: its MANIFEST was cut and does not name all tables", s.dir)
}

// warnOfCut says to a reader what guardTables refuses to a writer: what such tables hold looks as if it had never been
// there.
func (s *Store) warnOfCut() error {
	unnamed, err := s.unnamed()
	if err != nil || len(unnamed) == 0 {
		return err
	}
	if whole, err := s.holds(s.water, unnamed); err != nil || whole {
		return err
	}
	s.opt.Logger.Error().Strs("tables", unnamed).
		Msg("the MANIFEST was cut and does not name all tables: what they hold is not read; run sparkd check")
	return nil
}

// unnamed returns the files of tables that the folder's manifest does not name.
func (s *Store) unnamed() ([]string, error) {
	format, err := readFormat(s.dir)
	if err != nil {
		return nil, err
	}
	named, _, err := tables(s.dir, format)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a new store
	} else if err != nil {
		return nil, openError(s.dir, err)
	}
	return unnamedTables(s.dir, named)
}

// holds reports whether the database has the events up to the last commit and the records of unnamed tables.
func (s *Store) holds(water *highWater, unnamed []string) (whole bool, err error) {
	if whole, err = s.holdsEvents(water); whole {
		whole, err = s.holdsTables(unnamed)
	}
	return whole, err
}

// unnamedTables returns the files of tables that are not named.
func unnamedTables(dir string, named map[uint64]badger.TableManifest) (files []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	for _, path := range all {
		if id, ok := table.ParseFileID(filepath.Base(path)); ok {
			if _, ok := named[id]; !ok {
				files = append(files, filepath.Base(path))
			}
		}
	}
	return files, err
}

// holdsEvents reports whether the event log reaches to the last commit, as far as water knows it, and has no gap.
func (s *Store) holdsEvents(water *highWater) (whole bool, err error) {
	defer recoverDamage(&err)
	err = s.db.View(func(txn *badger.Txn) error {
		next := uint64(0) // unknown: the log is trimmed from the front
		for key := range items(txn, []byte{kindEvent}, nil, false) {
			if seq := seqOf(key); next > 0 && seq != next {
				return nil
			} else {
				next = seq + 1
			}
		}
		whole = water == nil || water.valid && max(next, 1) > water.seq
		return nil
	})
	return whole, err
}

// holdsTables reports whether the database has the records of these tables, which it does not read. The event log
// alone does not tell: one that has lost its front looks as if it had been trimmed. Of a table that cannot be read
// nothing is known; a flush that was killed leaves it.
func (s *Store) holdsTables(files []string) (whole bool, err error) {
	defer recoverDamage(&err)
	err = s.db.View(func(txn *badger.Txn) error {
		for _, file := range files {
			missing := false
			path := filepath.Join(s.dir, file)
			err := readTable(path, options.Snappy, options.NoVerification, func(t *table.Table) error {
				missing = lacksRecord(txn, t)
				return nil
			})
			if err == nil && missing {
				return nil
			}
		}
		whole = true
		return nil
	})
	return whole, err
}

// lacksRecord reports whether the table has a record that txn does not have. Events are trimmed, nothing else is ever
// removed.
func lacksRecord(txn *badger.Txn, t *table.Table) bool {
	it := t.NewIterator(table.NOCACHE)
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		key := y.ParseKey(it.Key())
		if _, ours := forms[key[0]]; !ours || key[0] == kindEvent {
			continue
		}
		if _, err := txn.Get(key); errors.Is(err, badger.ErrKeyNotFound) {
			return true
		}
	}
	return false
}
