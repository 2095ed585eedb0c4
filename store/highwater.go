package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"syscall"
)

// highWater is a small file beside the database that holds the sequence number of the last committed event. After
// bit rot or a power failure Badger cuts its log at the first bad entry and says nothing; then the database is
// behind this file, and Open and Check say so. It is written after every commit and synced with the database. Its
// lock is the store's lock.
type highWater struct {
	f     *os.File
	seq   uint64 // as found when it was opened
	valid bool   // its checksum was right, or it was new
}

const (
	highWaterName = "high-water"
	highWaterSize = 12 // sequence number, CRC-32C
)

var errLocked = errors.New("the folder is locked")

// openHighWater opens and locks the file; readers share the lock. A store without the file,
// which is nil then, has no writer either.
func openHighWater(path string, readOnly bool) (*highWater, error) {
	flags := os.O_RDWR | os.O_CREATE
	if readOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if readOnly && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := lockFile(f, readOnly); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errLocked
		}
		return nil, errors.Join(err, f.Close())
	}
	h := &highWater{f: f, valid: true}
	var b [highWaterSize]byte
	switch n, _ := f.ReadAt(b[:], 0); {
	case n == 0: // new
	case n < len(b) || crc32.Checksum(b[:8], castagnoli) != binary.BigEndian.Uint32(b[8:]):
		h.valid = false
	default:
		h.seq = binary.BigEndian.Uint64(b[:])
	}
	return h, nil
}

// write records that the event seq is committed.
func (h *highWater) write(seq uint64) error {
	if h == nil {
		return nil
	}
	var b [highWaterSize]byte
	binary.BigEndian.PutUint64(b[:], seq)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], castagnoli))
	if _, err := h.f.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("high-water file: %w", err)
	}
	return nil
}

func (h *highWater) sync() error {
	if h == nil {
		return nil
	}
	return h.f.Sync()
}

func (h *highWater) close() error {
	if h == nil {
		return nil
	}
	return h.f.Close()
}
