package store

import (
	"context"
	"io/fs"
	"path/filepath"

	"sparkd"
)

// Stats says how large the store is and what it has done.
type Stats struct {
	DiskBytes int64 `json:"disk_bytes"` // what the folder occupies; its files are sparse
	FreeBytes int64 `json:"free_bytes"` // on its disk; 0 in memory

	Counters

	OldestEvent uint64 `json:"oldest_event"` // sequence numbers of the event log
	LastEvent   uint64 `json:"last_event"`
}

// Counters count since the store was opened.
type Counters struct {
	Commits uint64 `json:"commits"` // transactions
	Rounds  uint64 `json:"rounds"`  // committed with them
	Nodes   uint64 `json:"nodes"`   // of those rounds
	Bytes   uint64 `json:"bytes"`   // keys and values, before compression
}

// Stats is cheap enough to be asked every few seconds: it reads no record.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Counters: *s.counts.Load(), OldestEvent: s.oldest.Load(), LastEvent: s.last.Load()}
	if err := ctx.Err(); err != nil || s.dir == "" {
		return st, err
	}
	var err error
	if st.FreeBytes, err = s.free(); err != nil {
		return st, folderError(s.dir, "cannot be reached", "check that its disk is mounted", err)
	}
	st.DiskBytes, err = s.SizeOnDisk()
	return st, err
}

// SizeOnDisk returns the bytes that the store's files occupy.
func (s *Store) SizeOnDisk() (int64, error) {
	if s.dir == "" {
		return 0, nil
	}
	var size int64
	err := filepath.WalkDir(s.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil { // else compaction has just removed it
			size += allocated(info)
		}
		return nil
	})
	if err != nil {
		return 0, sparkd.Errorf(sparkd.CodeStore, "the data folder cannot be measured: %v", err)
	}
	return size, nil
}
