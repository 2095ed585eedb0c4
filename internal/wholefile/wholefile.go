// Package wholefile writes files that are there whole or as they were before: beside the file, under a hidden name,
// and renamed at the end. What a killed process leaves of that is removed by the next one that writes the same file.
package wholefile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// File is a file that is being written. It is not there before Commit. Errors name what it is to be.
type File struct {
	file *os.File
	path string // that it is to have
}

// Write writes to the end of the file.
func (f *File) Write(b []byte) (n int, err error) {
	n, err = f.file.Write(b)
	return n, named(f.path, err)
}

// named is err, of a hidden name that nobody asked for, with the path in its place.
func named(path string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: e.Op, Path: path, Err: e.Err}
	}
	return err
}

// Create begins the file that path leads to, in its folder. What it replaces lends it its permissions.
func Create(path string) (*File, error) {
	path, err := target(path)
	if err != nil {
		return nil, err
	}
	sweep(path)
	mode := fs.FileMode(0o666)
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("it is there, and no regular file")}
	case err == nil:
		mode = info.Mode().Perm()
	}
	for {
		f, err := os.OpenFile(prefix(path)+rand.Text()+suffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return nil, named(path, err)
		}
		// Where files cannot be locked nothing is swept away. Another process may do that before this one has the lock.
		if err := lock(f); errors.Is(err, syscall.EWOULDBLOCK) || !same(f) {
			_ = f.Close()
			continue
		}
		if info != nil {
			err = named(path, f.Chmod(mode)) // whatever the umask
		}
		return &File{f, path}, err
	}
}

// lock takes a file until it is closed or its process ends. It does not wait.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// Discard gives the file up, unless it was committed.
func (f *File) Discard() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(os.Remove(f.file.Name()), f.file.Close())
	f.file = nil
	return err
}

// Commit makes the files what their paths lead to. There is no moment at which a new one lies beside an old one: the
// old ones behind the first go before, the new ones come behind it. What fails leaves all as it was, as far as the
// folder lets it.
func Commit(files ...*File) (err error) {
	for _, f := range files {
		if err := f.file.Sync(); err != nil {
			return named(f.path, err)
		}
	}
	undo := []func() error{}
	defer func() {
		for i := len(undo) - 1; i >= 0 && err != nil; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	var old []string
	for _, f := range files[1:] {
		aside := prefix(f.path) + rand.Text() + suffix
		switch err := os.Rename(f.path, aside); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return named(f.path, err)
		default:
			old = append(old, aside)
			undo = append(undo, func() error { return os.Rename(aside, f.path) })
		}
	}
	for i, f := range files {
		if err := os.Rename(f.file.Name(), f.path); err != nil {
			return named(f.path, err)
		}
		if undo = nil; i == len(files)-1 {
			syncFolder(filepath.Dir(f.path))
		}
	}
	for _, f := range files {
		err = errors.Join(err, f.file.Close())
		f.file = nil
	}
	for _, path := range old {
		_ = os.Remove(path) // or the next one sweeps it away
	}
	return err
}

// syncFolder makes renames last, on systems that let a folder be synced.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

const suffix = ".partial"

// prefix begins the hidden names of what is written for a path.
func prefix(path string) string {
	dir, name := filepath.Split(path)
	const most = 200 // of the 255 bytes that names can have
	return dir + "." + name[:min(len(name), most)] + "."
}

// sweep removes what killed processes left of a file: what nobody has locked.
func sweep(path string) {
	dir, name := filepath.Split(prefix(path))
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return // creating a file says why
	}
	for _, e := range entries {
		left := e.Name()
		if len(left) != len(name)+len(rand.Text())+len(suffix) || left[:len(name)] != name ||
			filepath.Ext(left) != suffix || !e.Type().IsRegular() {
			continue
		}
		if f, err := os.OpenFile(dir+left, os.O_RDWR, 0); err == nil {
			if lock(f) == nil {
				_ = os.Remove(dir + left)
			}
			_ = f.Close()
		}
	}
}

// same reports whether the file is still the one that its name leads to.
func same(f *os.File) bool {
	a, err := f.Stat()
	b, errB := os.Stat(f.Name())
	return err == nil && errB == nil && os.SameFile(a, b)
}

// target follows symbolic links, which may lead to a file that is not there yet.
func target(path string) (string, error) {
	const most = 40 // links, as Linux has it
	for range most {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", &fs.PathError{Op: "create", Path: path, Err: errors.New("too many links")}
}
