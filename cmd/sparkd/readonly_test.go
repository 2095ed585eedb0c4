//go:build linux

package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sparkd"
	"sparkd/daemon"
	"sparkd/store/storetest"
)

// protect makes a folder one that nobody can write into: by its permissions, or where this
// user may ignore them, by mounting it read-only.
func protect(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // for the test's own folder to be removed
	probe := filepath.Join(dir, "probe")
	if os.WriteFile(probe, nil, 0o644) != nil {
		return
	}
	if err := os.Remove(probe); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if err != nil {
		t.Skipf("NOT TESTED: this user ignores permissions and cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(probe, nil, 0o644); err == nil {
		t.Fatal("the folder can still be written")
	}
}

// modified says when the files of a folder were written, the folder included.
func modified(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		b.WriteString(path + " " + info.ModTime().Format(time.RFC3339Nano) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A folder that this user may not enter is not one without a store.
func TestForbiddenFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with its user
		_ = syscall.Setfsuid(65534)
		_, err := needStore(&daemon.Config{Daemon: daemon.DaemonConfig{Data: dir}}, "name another")
		refused <- err
	}()
	err := <-refused
	if sparkd.CodeOf(err) != sparkd.CodeInvalid || !strings.Contains(err.Error(), "permission denied") {
		t.Error(err)
	}
}

// A command whose output nobody reads any more ends quietly and leaves no view of the store behind.
func TestUnreadOutput(t *testing.T) {
	old := storetest.Format1(t)
	for _, args := range []string{"tree " + storetest.Growing, "rollouts", "export", "export --format tree", "check"} {
		temporary := t.TempDir()
		r, w, err := os.Pipe()
		if err == nil {
			err = r.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0], append(strings.Fields(args), "--data", old.Data)...)
		cmd.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+temporary)
		cmd.Stdout, cmd.Stderr = w, &stderr
		err = cmd.Run()
		_ = w.Close()
		files, _ := os.ReadDir(temporary)
		if code := cmd.ProcessState.ExitCode(); code != exitFailure || stderr.Len() > 0 || len(files) > 0 {
			t.Errorf("%s: %v, %q, left %v", args, err, &stderr, files)
		}
	}
}

// Commands that read do so from a folder that cannot be written, after a daemon was killed
// in it, and leave no trace in one that can.
func TestReadOnlyFolder(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, string){
		"protected": protect,
		"writable":  func(*testing.T, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			old := storetest.Format1(t)
			prepare(t, old.Data)
			before := modified(t, old.Data)
			s := &session{t, old.Data, t.TempDir()}
			if out := s.must("check", "--data", old.Data); !strings.Contains(out.stdout, "14 trees (11 finished)") {
				t.Errorf("check: %+v", out)
			}
			if out := s.must("rollouts"); !strings.Contains(out.stdout, "\ncanceled ") {
				t.Errorf("rollouts: %+v", out)
			}
			if out := s.must("tree", storetest.Growing); strings.Count(out.stdout, "· growing ·") != 3 {
				t.Errorf("tree: %+v", out)
			}
			out := s.must("export", "--format", "rows", "--text", "--entropies")
			if !bytes.Equal(storetest.Rounded([]byte(out.stdout)), storetest.Rounded(old.Rows)) {
				t.Errorf("export: %d bytes, want %d", len(out.stdout), len(old.Rows))
			}
			if after := modified(t, old.Data); after != before {
				t.Errorf("the folder was\n%sand is\n%s", before, after)
			}
			canceled := s.run("cancel", storetest.Growing)
			shown := s.must("rollouts").stdout
			switch {
			case name == "protected" && (canceled.code == 0 || canceled.stdout != "" || canceled.stderr == ""):
				t.Errorf("cancel where nothing can be written: %+v", canceled)
			case name == "writable" && !strings.Contains(canceled.stderr, "no daemon runs on "+old.Data):
				t.Errorf("cancel: %+v", canceled)
			case (name == "writable") == strings.Contains(shown, "not growing"):
				t.Errorf("rollouts behind it: %s", shown)
			}
		})
	}
}
