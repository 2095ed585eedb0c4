package store

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/store/storetest"
)

func readOnly() Options { return with(func(o *Options) { o.ReadOnly = true }) }

// contents are the bytes of a folder's files and when they were written.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		out[path] = info.ModTime().Format(time.RFC3339Nano) + string(bytes.TrimRight(b, "\x00"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameContents fails the test where the folder is not as it was.
func sameContents(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	after := contents(t, dir)
	for name := range before {
		if after[name] != before[name] {
			t.Errorf("%s has changed", filepath.Base(name))
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			t.Errorf("%s is new", filepath.Base(name))
		}
	}
}

// TestReadOnly: a killed store and one that was closed are read in full, by two readers at
// once and from a disk that is mounted read-only, and nothing in the folder changes. The
// killed one has a table that its manifest does not name, as a flush leaves it.
func TestReadOnly(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	live, trees := damageStore(t, t.TempDir())
	killed := takeImage(t, live.dir)
	killed["000099.sst"] = file{[]byte("cut"), 3}
	shut(t, live)
	closed := takeImage(t, live.dir)
	want := records(t, open(t, closed.write(t, "", nil), testOptions()))
	for name, img := range map[string]image{"killed": killed, "closed": closed} {
		t.Run(name, func(t *testing.T) {
			dir := img.write(t, "", nil)
			before := contents(t, dir)
			readAll(t, dir, want, trees)
			sameContents(t, dir, before)
		})
		t.Run(name+", mounted read-only", func(t *testing.T) {
			dir := mountTmpfs(t, "size=16m")
			img.writeTo(t, dir, "", nil)
			remountReadOnly(t, dir)
			readAll(t, dir, want, trees)
		})
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "sparkd-view-*"))
	if len(left) > 0 || err != nil {
		t.Errorf("views are left: %v, %v", left, err)
	}
}

func readAll(t *testing.T, dir string, want []record, trees []*sparkd.Tree) {
	t.Helper()
	s, log, err := openLogged(dir)
	if err != nil || log != "" {
		t.Fatalf("a reader is told %q, %v", log, err)
	}
	other := open(t, dir, readOnly())
	for _, s := range []*Store{s, other} {
		if got := records(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("%d records, want %d", len(got), len(want))
		}
		for _, tree := range trees {
			sameTree(t, s, tree)
		}
		checkClean(t, s)
	}
	_, _, err = s.CreateRollout(t.Context(), testRollout("new"))
	if e := wantCode(t, err, sparkd.CodeStore); e.Remedy == "" {
		t.Errorf("%+v", e)
	}
	if _, err := s.Stats(t.Context()); err != nil {
		t.Error(err)
	}
	shut(t, s)
	shut(t, other)
}

// TestReadOnlyOld: reading a store of format 1 leaves it one.
func TestReadOnlyOld(t *testing.T) {
	dir := storetest.Format1(t).Data
	before := contents(t, dir)
	s := open(t, dir, readOnly())
	if r := checkClean(t, s); r.Trees != 14 || r.Finished != 11 {
		t.Errorf("%+v", r)
	}
	shut(t, s)
	sameContents(t, dir, before)
}

// TestReadOnlyLock: a writer keeps readers out and readers keep a writer out.
func TestReadOnlyLock(t *testing.T) {
	s := open(t, t.TempDir(), testOptions())
	_, err := Open(s.dir, readOnly())
	wantCode(t, err, sparkd.CodeConflict)
	shut(t, s)
	reader := open(t, s.dir, readOnly())
	_, err = Open(s.dir, testOptions())
	wantCode(t, err, sparkd.CodeConflict)
	shut(t, reader)
	open(t, s.dir, testOptions())
}

// TestReadOnlyRefuses: where there is no store none is made.
func TestReadOnlyRefuses(t *testing.T) {
	empty := t.TempDir()
	for dir, says := range map[string]string{empty: "holds no store", filepath.Join(empty, "none"): "holds no store"} {
		_, err := Open(dir, readOnly())
		if e := wantCode(t, err, sparkd.CodeInvalid); !strings.Contains(e.Message, says) || e.Remedy == "" {
			t.Errorf("%+v", e)
		}
	}
	if files, err := os.ReadDir(empty); len(files) > 0 || err != nil {
		t.Errorf("%v, %v", files, err)
	}
	s := open(t, t.TempDir(), testOptions())
	shut(t, s)
	if err := os.Remove(filepath.Join(s.dir, highWaterName)); err != nil {
		t.Fatal(err)
	}
	shut(t, open(t, s.dir, readOnly()))
	if _, err := os.Stat(filepath.Join(s.dir, highWaterName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a reader has made the high-water file: %v", err)
	}
}

// TestReadOnlyLogs: however the logs end, a reader sees what a writer recovers.
func TestReadOnlyLogs(t *testing.T) {
	live, trees := damageStore(t, t.TempDir())
	killed := takeImage(t, live.dir)
	shut(t, live)
	for seed := range uint64(12) {
		dir := killed.write(t, "00001.mem", seeded(seed))
		s := open(t, dir, readOnly())
		got, lost := records(t, s), checkFindings(t, s)
		shut(t, s)
		w := open(t, dir, testOptions())
		if want := records(t, w); !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: a reader has %d records, a writer %d", seed, len(got), len(want))
		}
		if want := checkFindings(t, w); !reflect.DeepEqual(lost, want) {
			t.Errorf("seed %d: a reader finds %+v, a writer %+v", seed, lost, want)
		}
		readsLoudly(t, w, trees)
	}
}

func checkFindings(t *testing.T, s *Store) []Finding {
	t.Helper()
	r, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Findings
}
