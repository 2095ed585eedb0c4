package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkFiles reads the folder's files whole. What Badger does not hand out, older versions of records for example,
// shows no damage by itself; the checksums of its blocks do.
func (c *checker) checkFiles(s *Store) error {
	dir, water := s.dir, s.water
	switch {
	case dir == "":
		return nil
	case water == nil:
		c.file(Missing, highWaterName, "the file is missing; a loss of the last commits would not be noticed")
	case !water.valid:
		c.file(Altered, highWaterName, "the file fails its checksum; a loss of the last commits would not be noticed")
	}
	format, err := readFormat(dir)
	if err != nil {
		return err
	}
	named, cut, err := tables(dir, format)
	if err != nil {
		return openError(dir, err)
	}
	if cut {
		c.file(Altered, manifestName, "the file ends in the middle of an entry")
	}
	if err := c.checkUnnamed(s, named); err != nil {
		return err
	}
	for id, t := range named {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		path := table.NewFilename(id, dir)
		err := checkTable(path, t.Compression, options.OnTableRead)
		if _, gone := os.Stat(path); err != nil && !errors.Is(gone, fs.ErrNotExist) { // else compacted meanwhile
			c.file(Altered, filepath.Base(path), err.Error())
		}
	}
	return nil
}

// checkUnnamed looks for what guardTables refuses to write over. A writer makes tables before it names them.
func (c *checker) checkUnnamed(s *Store, named map[uint64]badger.TableManifest) error {
	if !s.opt.ReadOnly {
		return nil
	}
	unnamed, err := unnamedTables(s.dir, named)
	if err != nil || len(unnamed) == 0 {
		return err
	}
	whole := !slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind == Lost })
	if whole {
		whole, err = s.holdsTables(unnamed)
	}
	if err == nil && !whole {
		c.file(Missing, manifestName, "the file was cut: it does not name "+strings.Join(unnamed, ", "))
	}
	return err
}

// file reports a file of the folder.
func (c *checker) file(kind FindingKind, name, problem string) {
	remedy := "restore the folder from a backup; sparkd export gives out what can be read"
	if name == highWaterName {
		remedy = "nothing else is affected, and the next daemon writes it anew; cursors from before may be refused"
	}
	c.Findings = append(c.Findings, Finding{Kind: kind, Key: name, Problem: problem, Remedy: remedy})
}
