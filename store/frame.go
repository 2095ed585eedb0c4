package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"

	"github.com/dgraph-io/badger/v4"

	"sparkd"
)

// A value is framed: one byte with the version of the record's encoding, four with the CRC-32C of version, key and
// payload, then the payload. The key is part of the sum, so that a value found under a wrong key is noticed too.
//
// In version 1 nodes stand by position, see format1.go; all other records are the same in
// both. Only version 2 is written.
const (
	frameVersion = 2
	frameSize    = 5
)

// maxValue keeps every value below Badger's value threshold (1 MiB).
const maxValue = 1<<20 - 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameSum(version byte, key, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte{version})
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, payload)
}

// seal frames payload as the value of key.
func seal(key, payload []byte) []byte {
	v := make([]byte, frameSize+len(payload))
	v[0] = frameVersion
	binary.LittleEndian.PutUint32(v[1:], frameSum(frameVersion, key, payload))
	copy(v[frameSize:], payload)
	return v
}

// unseal returns the version and the payload of a value, which it does not copy.
func unseal(key, value []byte) (version byte, payload []byte, err error) {
	if len(value) < frameSize {
		return 0, nil, damaged(Altered, key, "the record is cut to %d bytes", len(value))
	}
	version, payload = value[0], value[frameSize:]
	if binary.LittleEndian.Uint32(value[1:]) != frameSum(version, key, payload) {
		return 0, nil, damaged(Altered, key, "the record fails its checksum")
	}
	if version < 1 || version > frameVersion {
		const remedy = "open the folder with the sparkd that wrote it, or a newer one"
		return 0, nil, sparkd.NewError(sparkd.CodeStore, "", remedy,
			"record %s has a format that this sparkd does not know", describeKey(key))
	}
	return version, payload, nil
}

// errMissing says that a key has no record.
var errMissing = errors.New("no such record")

// read calls fn with the version and the payload of key's record; the payload is valid only during the call.
func read(txn *badger.Txn, key []byte, fn func(version byte, payload []byte) error) error {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return errMissing
	} else if err != nil {
		return err
	}
	return readItem(item, key, fn)
}

func readItem(item *badger.Item, key []byte, fn func(version byte, payload []byte) error) error {
	return item.Value(func(value []byte) error {
		version, payload, err := unseal(key, value)
		if err != nil {
			return err
		}
		return fn(version, payload)
	})
}

// readJSON decodes the record of key into v.
func readJSON(txn *badger.Txn, key []byte, v any) error {
	return read(txn, key, func(_ byte, payload []byte) error { return decodeJSON(key, payload, v) })
}

// readItemJSON decodes an item, whose key is key, into v.
func readItemJSON(item *badger.Item, key []byte, v any) error {
	return readItem(item, key, func(_ byte, payload []byte) error { return decodeJSON(key, payload, v) })
}

func decodeJSON(key, payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return damaged(Altered, key, "the record cannot be decoded: %v", err)
	}
	return nil
}
