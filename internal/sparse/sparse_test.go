package sparse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"sparkd/internal/sparse"
)

// A copy has the same bytes, and its zeros take no room.
func TestCopy(t *testing.T) {
	const hole = 8 << 20
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, hole, hole + 5} {
		want := make([]byte, size)
		for _, at := range []int{0, 64<<10 - 1, 64 << 10, size - 1} {
			if at >= 0 && at < size {
				want[at] = 7
			}
		}
		name := filepath.Join(t.TempDir(), "copy")
		if err := sparse.Copy(name, bytes.NewReader(want)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d others, %v", size, len(got), err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Blocks*512 > 1<<20 {
			t.Errorf("%d bytes take %d", size, s.Blocks*512)
		}
		if err := sparse.Copy(name, bytes.NewReader(nil)); !os.IsExist(err) {
			t.Errorf("a file that is there: %v", err)
		}
	}
}
