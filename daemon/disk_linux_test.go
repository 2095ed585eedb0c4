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

// The disk fills up in the middle of a rollout: it fails with the reason, readyz says
// so, and after a restart with room it grows on from what was committed.
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
	got := r.waitFor("full")
	if got.State != sparkd.RolloutFailed || got.Error == nil || got.Error.Code != sparkd.CodeStore ||
		!strings.Contains(got.Error.Message, "must stay free") {
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
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	sameTrees(t, start(t, c, daemon.Parts{}), s)
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
