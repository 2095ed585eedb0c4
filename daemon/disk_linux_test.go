package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sparkd"
	"sparkd/daemon"
)

// The disk fills up in the middle of a rollout: it waits and says why, as readyz does, and when there is room it grows
// on to what it would have been.
func TestDiskFillsUp(t *testing.T) {
	dir := t.TempDir()
	c := config(t, filepath.Join(dir, "data"))
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Skip("free space is not known here:", err)
	}
	const margin = 1 << 30
	free := int64(fs.Bavail) * int64(fs.Bsize)
	if free < 4*margin {
		t.Skip("too little disk to fill some of it")
	}
	c.Store.MinFree = int64(free - margin)
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	s := spec(1)
	s.ID = "full"
	id := r.submit(s).Trees[0]
	<-g.entered
	filler := fill(t, filepath.Join(dir, "filler"), 2*margin)
	close(g.opened)
	got := r.waitStuck("full")
	if got.State != sparkd.RolloutRunning || !strings.Contains(got.Error.Message, "must stay free") {
		t.Fatalf("%+v, error %+v", got, got.Error)
	}
	err := r.Ready()
	if sparkd.CodeOf(err) != sparkd.CodeUnavailable || !strings.Contains(err.Error(), "must stay free") {
		t.Errorf("Ready: %v", err)
	}
	if tree, err := r.Client.Tree(t.Context(), id); err != nil || len(tree.Nodes) != 1 {
		t.Errorf("what was committed: %v %+v", err, tree)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	sameTrees(t, r, s)
	if err := r.Ready(); err != nil {
		t.Errorf("Ready behind it: %v", err)
	}
	r.endsOnce("full", sparkd.RolloutDone)
}

// fill takes size bytes of the disk.
func fill(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		t.Skip("the file system does not reserve space:", err)
	}
	return path
}
