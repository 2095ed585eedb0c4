//go:build cgo

package embedded

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

func adapterFile(t *testing.T, s gguftest.Shape) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "adapter.gguf")
	if err := (gguftest.LoRA{Rank: 4, Alpha: 8, Seed: 3}).Write(path, s); err != nil {
		t.Fatal(err)
	}
	return path
}

// A model with an adapter has the logits of the model that the adapter was merged into. 40
// layers are more than llama.cpp's least number of graph nodes has room for.
func TestAdapterEqualsMergedModel(t *testing.T) {
	for _, layers := range []int{2, 40} {
		shape := gguftest.Shape{Layers: layers}
		dir := t.TempDir()
		plain, merged := tinyFile(t, filepath.Join(dir, "plain.gguf"), shape, 1), filepath.Join(dir, "merged.gguf")
		if err := (gguftest.LoRA{Rank: 4, Alpha: 8, Seed: 3}).WriteMerged(merged, shape, 1); err != nil {
			t.Fatal(err)
		}
		prompt := segment{path: blocksFrom(0, 100), tokens: ids(1, 100), output: true}
		logits := func(w sparkd.Weights) []float32 {
			l := loader{options: smallOptions}
			var base checkpoint
			if w.LoRA {
				var err error
				if base, err = inspect(t.Context(), plain); err != nil {
					t.Fatal(err)
				}
			}
			m, _, err := l.load(t.Context(), w, base)
			if err != nil {
				t.Fatal(err)
			}
			defer m.close()
			return logitsOf(t, m.(*model), prompt)[0]
		}
		a, b, c := logits(sparkd.Weights{Path: plain}), logits(sparkd.Weights{Path: adapterFile(t, shape), LoRA: true}),
			logits(sparkd.Weights{Path: merged})
		if far, near := farthest(a, b), farthest(b, c); far < 0.05 || near > far/500 {
			t.Errorf("%d layers: the adapter moves a logit by %g, and is off by %g", layers, far, near)
		}
	}
}

func TestReloadAdapter(t *testing.T) {
	dir := t.TempDir()
	plain := tinyFile(t, filepath.Join(dir, "plain.gguf"), gguftest.Shape{}, 1)
	e := openTiny(t, plain)
	base := e.Describe().PolicyVersion
	request := ask(ids(1, 50), 2, 10, 1)
	old := warm(t, e, request)
	adapter := sparkd.Weights{Path: adapterFile(t, gguftest.Shape{}), LoRA: true}
	for range 2 { // an adapter takes the place of the one before
		version, err := e.Reload(t.Context(), adapter)
		if err != nil || len(version) != 25 || !strings.HasPrefix(version, base+"+") {
			t.Fatal(version, err)
		}
		if got := warm(t, e, request); got.PolicyVersion != version ||
			slices.Equal(got.Samples[0].Logprobs, old.Samples[0].Logprobs) {
			t.Errorf("%+v", got)
		}
	}
	if v, err := e.Reload(t.Context(), sparkd.Weights{Path: plain}); err != nil || v != base {
		t.Fatal(v, err)
	}
	if got := warm(t, e, request); fmt.Sprint(got.Samples) != fmt.Sprint(old.Samples) {
		t.Error("the adapter is still there")
	}
}
