package wholefile

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func create(t *testing.T, path, text string) *File {
	t.Helper()
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

// holds checks what a folder holds, in the order of names, "name text" each.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
		got = append(got, e.Name()+" "+string(text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder has %q, want %q", got, want)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f := create(t, path, "new")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there before it is whole: %v", err)
	}
	if err := Commit(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Errorf("a committed file is discarded: %v", err)
	}
	holds(t, dir, "a new")
	f = create(t, path, "half")
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	holds(t, dir, "a new")
	a, b := create(t, path, "data"), create(t, path+".m", "manifest")
	if err := Commit(a, b); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "a data", "a.m manifest")
	a, b = create(t, path, "data 2"), create(t, path+".m", "manifest 2")
	if err := Commit(a, b); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "a data 2", "a.m manifest 2")
	long := filepath.Join(dir, strings.Repeat("n", 250))
	if err := Commit(create(t, long, "x")); err != nil {
		t.Errorf("a long name: %v", err)
	}
}

// TestFailedCommit: an old pair stays as it was where a new one cannot take its place.
func TestFailedCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Commit(create(t, path, "old"), create(t, path+".m", "manifest")); err != nil {
		t.Fatal(err)
	}
	a, b := create(t, path, "new"), create(t, path+".m", "other")
	if err := os.Remove(a.file.Name()); err != nil { // by somebody
		t.Fatal(err)
	}
	if err := Commit(a, b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Commit: %v", err)
	}
	_ = a.Discard()
	_ = b.Discard()
	holds(t, dir, "a old", "a.m manifest")
}

func TestPermissionsAndLinks(t *testing.T) {
	dir := t.TempDir()
	path, link, dangling := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, err := range []error{os.WriteFile(path, []byte("old"), 0o600), os.Symlink("a", link),
		os.Symlink("d", dangling), os.Symlink("e", filepath.Join(dir, "e"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{link, dangling} {
		if err := Commit(create(t, p, "new")); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(p); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is a link no more: %v, %v", p, info.Mode(), err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: the permissions are others", info.Mode(), err)
	}
	for _, p := range []string{filepath.Join(dir, "e"), dir, filepath.Join(dir, "none", "a")} {
		if f, err := Create(p); err == nil {
			t.Errorf("%s can be written", p)
			_ = f.Discard()
		} else if strings.Contains(err.Error(), suffix) {
			t.Errorf("%s: a hidden name: %v", p, err)
		}
	}
	holds(t, dir, "a new", "b new", "c new", "d new", "e ")
}

// TestErrorsNameTheFile: a disk that fills up while a file is written, and a folder that goes, are errors of the file.
func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	check := func(what string, err error) {
		if e, ok := errors.AsType[*fs.PathError](err); !ok || e.Path != path || strings.Contains(err.Error(), suffix) {
			t.Errorf("%s: %v", what, err)
		}
	}
	f := create(t, path, "")
	hidden := f.file
	defer hidden.Close()
	if err := os.Remove(hidden.Name()); err != nil {
		t.Fatal(err)
	}
	check("the hidden file is gone", Commit(f))
	if full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0); err == nil {
		defer full.Close()
		f.file = full
		_, err = f.Write([]byte("new"))
		if check("a full disk", err); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
	}
	closed := create(t, path, "")
	if err := closed.file.Close(); err != nil {
		t.Fatal(err)
	}
	check("no file to sync", Commit(closed))
	_, err := closed.Write(nil)
	check("no file to write", err)
}

// TestKilled: what a killed process leaves goes with the next one, what a living one writes stays.
func TestKilled(t *testing.T) {
	if path := os.Getenv("WHOLEFILE_TEST"); path != "" {
		f := create(t, path, "half")
		_ = f.file.Sync()
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := Commit(create(t, path, "old")); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestKilled$")
	cmd.Env = append(os.Environ(), "WHOLEFILE_TEST="+path)
	if err := cmd.Run(); err == nil {
		t.Fatal("the process was not killed")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Fatalf("the process left %v, %v", entries, err)
	}
	for _, name := range []string{".a.mine.partial", ".ab." + strings.Repeat("A", 26) + ".partial"} { // others' files
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := create(t, path, "one"), create(t, path, "two")
	if err := Commit(one); err != nil {
		t.Errorf("a file that another one is written beside: %v", err)
	}
	if err := Commit(two); err != nil {
		t.Error(err)
	}
	holds(t, dir, ".a.mine.partial ", ".ab."+strings.Repeat("A", 26)+".partial ", "a two")
}
