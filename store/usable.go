package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Usable finds what would keep Open from dir, and leaves the folder, or its absence, as it is.
func Usable(dir string, opt Options) error {
	s := &Store{opt: opt, dir: dir}
	if Exists(dir) {
		s.opt.ReadOnly = true
		err := s.prepareFolder()
		if err = errors.Join(err, s.water.close()); err != nil {
			return err
		}
		s.opt.ReadOnly = opt.ReadOnly
	}
	at := dir
	info, err := os.Stat(at)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(at) != at {
		at = filepath.Dir(at) // where the folder would be made
		info, err = os.Stat(at)
	}
	const remedy = "check the path and its permissions, or choose another --data"
	switch {
	case err == nil && !info.IsDir() && at == dir:
		return wrongFolder(dir, "is a file", "move it away or choose another --data", nil)
	case err == nil:
		var probe string
		if probe, err = os.MkdirTemp(at, "sparkd-check-"); err == nil {
			err = os.Remove(probe)
		}
	}
	if err != nil {
		return wrongFolder(dir, "cannot be written", remedy, err)
	}
	s.free = func() (int64, error) { return freeBytes(at) }
	return s.checkFree()
}
