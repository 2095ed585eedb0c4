//go:build cgo

package embedded

import (
	"path/filepath"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

// Choosing the number of threads at start must leave a model that computes, with any
// number of them.
func TestThreadsChangeBetweenForwards(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := gguftest.Write(path, gguftest.Shape{}, 1); err != nil {
		t.Fatal(err)
	}
	tokens := make([]sparkd.Token, 100)
	for range 20 {
		o := smallOptions
		o.threads = 0
		m, err := openFile(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if n := m.about.Threads; n < 1 {
			t.Errorf("%d threads", n)
		}
		var want []float32
		for range 5 {
			m.pickThreads()
			got := logitsOf(t, m, segment{path: blocksFrom(0, 100), tokens: tokens, output: true})[0]
			if want != nil && farthest(want, got) > 2e-6 {
				t.Error("logits depend on the number of threads")
			}
			want = got
		}
		m.close()
	}
}
