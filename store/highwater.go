package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"syscall"
	"time"

	"sparkd"
)

// highWater is a small file beside the database that holds the sequence number of the last committed event. After
// bit rot or a power failure Badger cuts its log at the first bad entry and says nothing; then the database is
// behind this file, and Open and Check say so. It is written after every commit and synced with the database. Its
// lock is the store's lock.
//
// Behind the number stands the id of the store, which is written once and which earlier versions leave as it is.
type highWater struct {
	f     *os.File
	seq   uint64 // as found when it was opened
	id    string // of the store; "" where it has none
	valid bool   // its checksums were right, or it was new
}

const (
	highWaterName = "high-water"
	highWaterSize = 12     // sequence number, CRC-32C
	storeIDSize   = 26 + 4 // ULID, CRC-32C
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
	h := &highWater{f: f}
	h.read()
	if h.id == "" && !readOnly {
		if err := h.name(sparkd.NewID(time.Now())); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return h, nil
}

// read takes what the file holds.
func (h *highWater) read() {
	var b [highWaterSize + storeIDSize]byte
	n, _ := h.f.ReadAt(b[:], 0)
	seq, okSeq := summed(b[:min(n, highWaterSize)], highWaterSize)
	id, okID := summed(b[min(n, highWaterSize):n], storeIDSize)
	h.valid = okSeq && okID
	if len(seq) > 0 {
		h.seq = binary.BigEndian.Uint64(seq)
	}
	h.id = string(id)
}

// summed takes the CRC-32C off b, which has a size or, where nothing was written, is empty.
func summed(b []byte, size int) (content []byte, ok bool) {
	if len(b) == 0 {
		return nil, true
	}
	n := size - crc32.Size
	if len(b) < size || crc32.Checksum(b[:n], castagnoli) != binary.BigEndian.Uint32(b[n:]) {
		return nil, false
	}
	return b[:n], true
}

// withSum appends to b its CRC-32C.
func withSum(b []byte) []byte { return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)) }

// name gives the store its id.
func (h *highWater) name(id string) error {
	if h.valid {
		if err := h.write(h.seq); err != nil {
			return err
		}
	}
	h.id = id
	_, err := h.f.WriteAt(withSum([]byte(id)), highWaterSize)
	return errors.Join(err, h.f.Sync())
}

// write records that the event seq is committed.
func (h *highWater) write(seq uint64) error {
	if h == nil {
		return nil
	}
	if _, err := h.f.WriteAt(withSum(binary.BigEndian.AppendUint64(nil, seq)), 0); err != nil {
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
