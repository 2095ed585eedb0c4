package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// tables are those that Badger's manifest names. cut says that it ends in the middle of an entry.
func tables(dir string, format uint16) (named map[uint64]badger.TableManifest, cut bool, err error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	manifest, end, err := badger.ReplayManifestFile(f, format, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, false, err
	}
	info, err := f.Stat()
	return manifest.Tables, err == nil && end < info.Size(), err
}

// checkTables opens every table that the manifest names as Badger is about to. Badger does it in goroutines of its
// own, where its panic over a cut table would end the process, and goes on without a table whose index is damaged:
// what it holds would look as if it had never been there.
func checkTables(dir string, format uint16) error {
	named, _, err := tables(dir, format)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new store
	} else if err != nil {
		return openError(dir, err)
	}
	for id, t := range named {
		if err := checkTable(table.NewFilename(id, dir), t.Compression, options.NoVerification); err != nil {
			return openError(dir, err)
		}
	}
	return nil
}

// checkTable opens a table and, as mode says, compares its blocks with their checksums.
func checkTable(path string, compression options.CompressionType, mode options.ChecksumVerificationMode) error {
	return readTable(path, compression, mode, func(*table.Table) error { return nil })
}

// readTable opens a table for read. What Badger panics over is an error.
func readTable(path string, compression options.CompressionType, mode options.ChecksumVerificationMode,
	read func(*table.Table) error) (err error) {
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("the table %s cannot be read: %w", filepath.Base(path), err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the table %s is cut or damaged", filepath.Base(path))
		}
		_ = file.Close(-1)
	}()
	t, err := table.OpenTable(file, table.Options{Compression: compression, BlockSize: 4 << 10, ChkMode: mode})
	if err != nil {
		return fmt.Errorf("the table %s is damaged: %w", filepath.Base(path), err)
	}
	return read(t)
}
