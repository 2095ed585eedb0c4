package store

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/dgraph-io/badger/v4"

	"sparkd/internal/sparse"
)

// A store that is open for reading only is read through a view: a temporary folder with links to the tables and
// copies of the write-ahead logs, which are what a killed process leaves and small. Badger's read-only mode alone
// does not do: it removes tables that the manifest does not name, and refuses a log that was not closed.

const minLog = 20 // bytes; the header of a log. A smaller one was being made or removed

// openView opens Badger on a view of the store's folder.
func (s *Store) openView(opt badger.Options) (err error) {
	if s.scratch, err = os.MkdirTemp("", "sparkd-view-"); err != nil {
		return folderError(s.dir, "cannot be read", "let the temporary folder (TMPDIR) be writable", err)
	}
	format, err := readFormat(s.dir)
	if err != nil {
		return err
	}
	if err := fillView(s.scratch, s.dir); err != nil {
		return folderError(s.dir, "cannot be read", "check its permissions and the space in the temporary folder", err)
	}
	s.db, err = openCut(opt.WithDir(s.scratch).WithValueDir(s.scratch).WithExternalMagic(format).WithReadOnly(true))
	if err != nil {
		return openError(s.dir, err)
	}
	return nil
}

func fillView(view, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		from, to := filepath.Join(dir, f.Name()), filepath.Join(view, f.Name())
		switch ext := filepath.Ext(from); {
		case ext == ".mem":
			err = copyLog(from, to)
		case ext == ".sst", f.Name() == manifestName, f.Name() == badger.KeyRegistryFileName:
			err = os.Symlink(from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyLog(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < minLog {
		return err
	}
	return sparse.Copy(to, f)
}

// logEnd is what Badger says of a log with room behind its last entry. There is no other
// way to ask it where that entry ends.
var logEnd = regexp.MustCompile(`opening fid: (\d+) .*end offset: (\d+) < size`)

// openCut opens Badger for reading and cuts its logs, which are copies, where it says that
// their last entry ends: as it does itself when it may write.
func openCut(opt badger.Options) (*badger.DB, error) {
	for {
		db, err := badger.Open(opt)
		m := logEnd.FindStringSubmatch(fmt.Sprint(err))
		if m == nil {
			return db, err
		}
		id, _ := strconv.Atoi(m[1]) // both are digits
		end, _ := strconv.ParseInt(m[2], 10, 64)
		if err := os.Truncate(filepath.Join(opt.Dir, fmt.Sprintf("%05d.mem", id)), end); err != nil {
			return nil, err
		}
	}
}
