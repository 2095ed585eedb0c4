package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sparkd"
)

// manifestName is the file in which Badger lists its tables.
const manifestName = "MANIFEST"

// Exists reports whether dir looks like a store, sound or not.
func Exists(dir string) bool {
	for _, name := range []string{manifestName, highWaterName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// prepareFolder makes the folder, takes its lock and checks what Badger would answer
// with an untyped error, or not at all. The lock is that of the high-water file.
func (s *Store) prepareFolder() error {
	dir := s.dir
	if dir == "" {
		return sparkd.Invalid("data", "name a folder", "no data folder")
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return wrongFolder(dir, "is a file", "move it away or choose another --data", nil)
	}
	if s.opt.ReadOnly && !Exists(dir) {
		return wrongFolder(dir, "holds no store", "choose another --data", nil)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return wrongFolder(dir, "cannot be made", "check the path and its permissions, or choose another --data", err)
	}
	var err error
	s.water, err = openHighWater(filepath.Join(dir, highWaterName), s.opt.ReadOnly)
	switch {
	case errors.Is(err, errLocked):
		const remedy = "stop it or choose another --data"
		return sparkd.NewError(sparkd.CodeConflict, "", remedy, "another sparkd uses %s", dir).Because(err)
	case err != nil && s.opt.ReadOnly:
		return wrongFolder(dir, "cannot be read", "check its permissions, or choose another --data", err)
	case err != nil:
		const remedy = "check its permissions and that its disk is mounted for writing, or choose another --data"
		return wrongFolder(dir, "cannot be written", remedy, err)
	case s.water != nil:
		s.id = s.water.id
	}
	format, err := readFormat(dir)
	if err != nil {
		return err
	}
	return checkTables(dir, format)
}

// The first bytes of Badger's manifest: four of magic, then two that are ours (big-endian),
// the number of the store's format.
const (
	manifestMagic = "Bdgr"
	formatAt      = int64(len(manifestMagic))
)

// readFormat returns the format of the store in dir, which this sparkd can read. A folder without a manifest is new.
func readFormat(dir string) (uint16, error) {
	f, err := os.Open(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return formatVersion, checkNew(dir)
	} else if err != nil {
		return 0, folderError(dir, "cannot be read", "check its permissions", err)
	}
	defer f.Close()
	var head [6]byte
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:formatAt]) != manifestMagic {
		return 0, openError(dir, errors.New("its MANIFEST is not one of Badger"))
	}
	v := binary.BigEndian.Uint16(head[formatAt:])
	if v < 1 || v > formatVersion {
		problem := fmt.Sprintf("has store format %d; this sparkd reads formats 1 to %d", v, formatVersion)
		return 0, folderError(dir, problem, "open it with the sparkd that wrote it, or choose another --data", nil)
	}
	return v, nil
}

// checkNew refuses a folder whose manifest is gone: Badger would take it for new and remove its tables.
func checkNew(dir string) error {
	for _, pattern := range []string{"*.sst", "*.mem"} {
		if files, _ := filepath.Glob(filepath.Join(dir, pattern)); len(files) > 0 { // the pattern is well-formed
			return openError(dir, errors.New("its MANIFEST is missing"))
		}
	}
	return nil
}

// raiseFormat gives an older store this sparkd's format before a record is written that an
// older sparkd could not read: that one refuses the folder from now on.
func raiseFormat(dir string) error {
	format, err := readFormat(dir)
	if err != nil || format == formatVersion {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestName), os.O_WRONLY, 0)
	if err != nil {
		return folderError(dir, "cannot be written", "check its permissions", err)
	}
	_, err = f.WriteAt(binary.BigEndian.AppendUint16(nil, formatVersion), formatAt)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return folderError(dir, "cannot be written", "free or repair the disk", err)
	}
	return nil
}

// wrongFolder is about a folder that can hold no store: the setting is wrong.
func wrongFolder(dir, problem, remedy string, cause error) error {
	e := folderError(dir, problem, remedy, cause)
	e.Code, e.Field = sparkd.CodeInvalid, "daemon.data"
	return e
}

// folderError is about a folder that is no place for a store now.
func folderError(dir, problem, remedy string, cause error) *sparkd.Error {
	if cause != nil {
		problem += ": " + cause.Error()
	}
	return sparkd.NewError(sparkd.CodeStore, "", remedy, "the data folder %s %s", dir, problem).Because(cause)
}

// openError is about a folder that looks like a store and that Badger cannot open.
func openError(dir string, cause error) error {
	const remedy = "restore the folder from a backup, or move it away and start with an empty one"
	e := sparkd.NewError(sparkd.CodeDamaged, "", remedy, "the store in %s cannot be opened: %v", dir, cause)
	return e.Because(cause)
}

// checkFree refuses to write when the disk is about to be full.
func (s *Store) checkFree() error {
	if s.free == nil || s.opt.ReadOnly {
		return nil
	}
	free, err := s.free()
	if err != nil {
		return folderError(s.dir, "cannot be reached", "check that its disk is mounted", err)
	}
	if free >= s.opt.MinFree {
		return nil
	}
	problem := fmt.Sprintf("is on a disk with %d MB free, and %d MB must stay free", free>>20, s.opt.MinFree>>20)
	return folderError(s.dir, problem, "free disk space; nothing was written, everything stored stays readable", nil)
}

// syncLogs forces Badger's write-ahead logs to the disk. DB.Sync would leave out the logs whose memory table is
// full and not yet flushed; tables and the manifest are synced by Badger when it writes them.
func syncLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, name := range append(logs, dir) {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // flushed in the meantime
		} else if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
