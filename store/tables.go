package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/ristretto/v2/z"
)

// checkTables opens every table that the manifest names as Badger is about to. Badger does it in goroutines of its
// own, where its panic over a cut table would end the process; here it becomes an error. Tables that are merely
// found damaged are left for Badger to judge.
func checkTables(dir string, format uint16) error {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if err != nil {
		return nil // a new store, or one that Badger reports
	}
	defer f.Close()
	manifest, _, err := badger.ReplayManifestFile(f, format, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil // Badger reports it
	}
	for id, t := range manifest.Tables {
		if err := checkTable(table.NewFilename(id, dir), t.Compression); err != nil {
			return openError(dir, err)
		}
	}
	return nil
}

func checkTable(path string, compression options.CompressionType) (err error) {
	file, err := z.OpenMmapFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil // Badger reports it
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the table %s is cut or damaged", filepath.Base(path))
		}
		_ = file.Close(-1)
	}()
	_, _ = table.OpenTable(file, table.Options{Compression: compression, BlockSize: 4 << 10})
	return nil
}
