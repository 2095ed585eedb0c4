package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
)

// TestOpenRefuses: every folder that is no place for a store is refused with a code, a
// message that names it and a remedy, and nothing in it changes.
func TestOpenRefuses(t *testing.T) {
	write := func(t *testing.T, path, text string) string {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct {
		dir  func(t *testing.T) string
		code sparkd.Code
		says string
	}{
		"no name": {func(*testing.T) string { return "" }, sparkd.CodeInvalid, "no data folder"},
		"a file": {func(t *testing.T) string {
			return write(t, filepath.Join(t.TempDir(), "f"), "x")
		}, sparkd.CodeInvalid, "is a file"},
		"a file on the way": {func(t *testing.T) string {
			return filepath.Join(write(t, filepath.Join(t.TempDir(), "f"), "x"), "d")
		}, sparkd.CodeInvalid, "cannot be made"},
		"not allowed": {func(*testing.T) string { return "/proc/sparkd" }, sparkd.CodeInvalid, "cannot be made"},
		"read-only": {func(t *testing.T) string {
			dir := mountTmpfs(t, "size=1m")
			remountReadOnly(t, dir)
			return dir
		}, sparkd.CodeInvalid, "cannot be written"},
		"another program's manifest": {func(t *testing.T) string {
			return filepath.Dir(write(t, filepath.Join(t.TempDir(), "MANIFEST"), "name: x"))
		}, sparkd.CodeDamaged, "MANIFEST"},
		"an empty manifest": {func(t *testing.T) string {
			return filepath.Dir(write(t, filepath.Join(t.TempDir(), "MANIFEST"), ""))
		}, sparkd.CodeDamaged, "MANIFEST"},
		"another format": {func(t *testing.T) string {
			s := open(t, t.TempDir(), testOptions())
			shut(t, s)
			name := filepath.Join(s.dir, "MANIFEST")
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b[5] = 9
			write(t, name, string(b))
			return s.dir
		}, sparkd.CodeStore, "store format 9"},
		"in use": {func(t *testing.T) string {
			return open(t, t.TempDir(), testOptions()).dir
		}, sparkd.CodeConflict, "another sparkd uses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := test.dir(t)
			_, err := Open(dir, testOptions())
			e := wantCode(t, err, test.code)
			if !strings.Contains(e.Message, test.says) || !strings.Contains(e.Message, dir) || e.Remedy == "" {
				t.Errorf("message %q, remedy %q", e.Message, e.Remedy)
			}
		})
	}
	_, err := Open(t.TempDir(), with(func(o *Options) { o.Sync = "sometimes" }))
	if e := wantCode(t, err, sparkd.CodeInvalid); e.Field != "store.sync" || !strings.Contains(e.Remedy, SyncRound) {
		t.Errorf("%+v", e)
	}
}

// TestRefusedOpenLetsGo: after a refusal the folder can be opened.
func TestRefusedOpenLetsGo(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, with(func(o *Options) { o.MinFree = 1 << 60 }))
	wantCode(t, err, sparkd.CodeStore)
	manifest := filepath.Join(dir, "MANIFEST")
	if _, err := os.Stat(manifest); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused Open has begun to write: %v", err)
	}
	open(t, dir, testOptions())
}

// TestFormatNumber ties readFormat to what Badger writes.
func TestFormatNumber(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	if v, err := readFormat(s.dir); v != formatVersion || err != nil {
		t.Errorf("format %d, %v", v, err)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "MANIFEST"))
	if err != nil || b[4] != 0 || b[5] != formatVersion {
		t.Errorf("MANIFEST begins with % x, %v", b[:6], err)
	}
}

func TestStats(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	s.CreateRollout(t.Context(), testRollout("r", "t"))
	putTree(t, s, testTree("t", "r"), 3, true)
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Commits != 4 || st.Rounds != 3 || st.Nodes != 9 || st.Bytes < 1000 ||
		st.LastEvent != 5 || st.OldestEvent != 1 {
		t.Errorf("%+v", st)
	}
	if st.FreeBytes <= 0 || st.DiskBytes < int64(st.Bytes) || st.DiskBytes > 4<<20 {
		t.Errorf("sizes of %+v", st)
	}
}
