package store

import (
	"errors"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// A cursor says how far its reader has come in a log, or in the list of rollouts: "e1.STORE.AT.SUM". Behind its kind
// and the version of its form it names the store, so that nobody goes on in another one, and the checksum of the
// record that it stands at, so that nobody goes on in a copy from before that record, which by now may hold others
// under the same numbers. Either reader would miss, for good, what comes up to the place where it stands.
type cursor struct {
	store string
	at    string // number or id of the record
	sum   string // of its payload; "" where its id names it for good, or there is none
}

// cursorKind is what a cursor is a place in.
type cursorKind struct {
	mark string // kind and version
	of   string
	key  func(seq uint64) []byte // of the record at a number
	bare int                     // base of the numbers that were the cursors of earlier versions; 0 for none
	most int                     // digits that those had
}

// Trees were counted in digits and small letters: a longer word than the 60 millionth has was never a cursor.
var (
	eventCursor   = cursorKind{"e1", "events", eventKey, 10, 20}
	treeCursor    = cursorKind{"c1", "finished trees", func(seq uint64) []byte { return completedKey("", seq) }, 36, 5}
	rolloutCursor = cursorKind{mark: "r1", of: "rollouts"}
)

// number returns what an earlier version wrote as text, and whether it can have.
func (k *cursorKind) number(text string) (seq uint64, ok bool) {
	if len(text) > k.most {
		return 0, false
	}
	seq, err := strconv.ParseUint(text, k.bare, 64)
	return seq, err == nil && text == strconv.FormatUint(seq, k.bare)
}

func (k *cursorKind) format(c cursor) string {
	return strings.Join([]string{k.mark, c.store, c.at, c.sum}, ".")
}

func (k *cursorKind) parse(text string) (c cursor, err error) {
	mark, rest, _ := strings.Cut(text, ".")
	store, rest, ok := strings.Cut(rest, ".")
	if i := strings.LastIndexByte(rest, '.'); ok && mark == k.mark && i >= 0 { // ids of rollouts hold dots too
		return cursor{store, rest[:i], rest[i+1:]}, nil
	}
	return c, k.invalid(text)
}

func (k *cursorKind) invalid(text string) error {
	const remedy = "use a cursor that was answered before, or none to start over"
	return sparkd.Invalid("after", remedy, "%q is no cursor of %s", text, k.of)
}

// cursorAt returns the cursor behind the record with the number seq.
func (s *Store) cursorAt(k *cursorKind, seq uint64, value []byte) string {
	return k.format(cursor{s.id, strconv.FormatUint(seq, 10), sumOf(value)})
}

// sumOf is the checksum of a record's payload; that of its frame is another one in each completion log.
func sumOf(value []byte) string {
	if len(value) < frameSize {
		return ""
	}
	return strconv.FormatUint(uint64(crc32.Checksum(value[frameSize:], castagnoli)), 36)
}

// placeOf returns the number that a cursor stands at, 0 for "". It refuses a cursor of another store and one of a
// record that this store does not have. For a record that is damaged, or an event that was trimmed, the store's id
// has to do.
func (s *Store) placeOf(txn *badger.Txn, k *cursorKind, text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	seq, bare := k.number(text)
	c, err := k.parse(text)
	switch {
	case bare: // of an earlier version: a number without a name
		c = cursor{store: s.id}
	case err != nil:
		return 0, err
	default:
		if seq, err = strconv.ParseUint(c.at, 10, 64); err != nil {
			return 0, k.invalid(text)
		}
	}
	if err := s.sameStore(c.store); err != nil || seq == 0 {
		return seq, err
	}
	err = s.sameRecord(txn, k, seq, c.sum)
	return seq, err
}

// sameStore refuses the cursor of another store. One that a reader gave out while the store had no id has none.
func (s *Store) sameStore(id string) error {
	if id == "" || id == s.id {
		return nil
	}
	return foreignCursor("another store: the data folder was made anew, or is that of another daemon")
}

// sameRecord refuses a cursor whose record this store does not have.
func (s *Store) sameRecord(txn *badger.Txn, k *cursorKind, seq uint64, sum string) error {
	item, err := txn.Get(k.key(seq))
	switch {
	case err == nil:
		err = item.Value(func(value []byte) error {
			if _, _, damaged := unseal(item.Key(), value); damaged != nil || sum == "" || sum == sumOf(value) {
				return nil
			}
			return badger.ErrKeyNotFound // another has its place
		})
	case errors.Is(err, badger.ErrKeyNotFound) && k == &eventCursor && seq <= s.last.Load():
		return nil // trimmed, or lost with the last commits
	}
	if !errors.Is(err, badger.ErrKeyNotFound) {
		return err
	}
	return foreignCursor("something that this store does not hold: its data folder is a copy from before")
}

func foreignCursor(problem string) error {
	const remedy = "start over without a cursor: what was read before comes again, and nothing is left out"
	return sparkd.NewError(sparkd.CodeConflict, "after", remedy, "the cursor is of %s", problem)
}
