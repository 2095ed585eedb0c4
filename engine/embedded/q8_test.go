//go:build cgo

package embedded

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"sparkd/engine/embedded/gguftest"
)

// rearranged opens a random Q8_0 model twice: with rearranged matrices and with ggml's own
// products.
func rearranged(t *testing.T, shape gguftest.Shape) (ours, ggml *model) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "q8.gguf")
	if err := Quantize(tinyFile(t, filepath.Join(dir, "full.gguf"), shape, 3), path, "Q8_0"); err != nil {
		t.Fatal(err)
	}
	for _, to := range []**model{&ours, &ggml} {
		m, err := openFile(path, modelOptions{threads: 2, blocks: 256, batch: 256, segments: 32, plain: to == &ggml})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.close)
		*to = m
	}
	if n := ggml.about.Settings["rearranged_matrices"]; n != 0 {
		t.Fatalf("%v matrices rearranged though nobody should", n)
	}
	if ours.about.Settings["rearranged_matrices"] == 0 {
		t.Skip("SKIPPED: this CPU has no AVX-512 VNNI, so no matrix is rearranged")
	}
	return ours, ggml
}

// Rearranged weights give ggml's logits but for the order of F32 sums, which now and then
// rounds an activation of the next layer to the next byte. The number of new tokens is the
// number of columns, so every width of tile is run.
func TestRearrangedProductsAreGgmls(t *testing.T) {
	for name, c := range map[string]struct {
		shape gguftest.Shape
		left  int // matrices whose rows are no multiple of 16
	}{
		"small":       {gguftest.Shape{}, 0},
		"long rows":   {gguftest.Shape{Width: 256, Heads: 4, KVHeads: 1, FeedForward: 736}, 0},
		"odd rows":    {gguftest.Shape{Width: 96, Heads: 2, KVHeads: 1, Vocabulary: 333}, 2},
		"one KV head": {gguftest.Shape{Width: 128, Heads: 16, KVHeads: 1, Layers: 3}, 3 * 2},
	} {
		t.Run(name, func(t *testing.T) {
			ours, ggml := rearranged(t, c.shape)
			layers := int(ours.facts.layers)
			if n := ours.about.Settings["rearranged_matrices"]; n != 2+7*layers-c.left {
				t.Errorf("%v matrices rearranged, want %d", n, 2+7*layers-c.left)
			}
			r := rand.New(rand.NewPCG(9, 9))
			var far []float64
			for n := 1; n <= 40; n++ {
				tokens := randomTokens(r, n, ours.vocabulary())
				s := segment{path: blocksFrom(0, n), tokens: tokens, output: true}
				far = append(far, relative(logitsOf(t, ggml, s)[0], logitsOf(t, ours, s)[0]))
			}
			slices.Sort(far)
			if median, most := far[len(far)/2], far[len(far)-1]; median > 1e-6 || most > 0.05 {
				t.Errorf("logits differ by %.2g of their spread, at most %.2g", median, most)
			}
		})
	}
}

// Logits of n continuations of one token each do not depend on n: tiles of all widths sum in the
// same order.
func TestRearrangedProductsOfAnyWidth(t *testing.T) {
	ours, _ := rearranged(t, gguftest.Shape{Width: 128, Layers: 3})
	r := rand.New(rand.NewPCG(4, 4))
	tokens := randomTokens(r, 30, ours.vocabulary())
	var alone [][]float32
	for i := range tokens {
		one := segment{path: blocksFrom(int32(i), 1), tokens: tokens[i : i+1], output: true}
		alone = append(alone, logitsOf(t, ours, one)[0])
	}
	for n := 2; n <= len(tokens); n++ {
		var segs []segment
		for i := range n {
			segs = append(segs, segment{path: blocksFrom(int32(i), 1), tokens: tokens[i : i+1], output: true})
		}
		for i, got := range logitsOf(t, ours, segs...) {
			if fmt.Sprint(got) != fmt.Sprint(alone[i]) {
				t.Errorf("token %d among %d: logits differ by %g", i, n, farthest(got, alone[i]))
			}
		}
	}
}

// relative is the root mean square of the difference of two sets of logits, over the spread
// of the first.
func relative(a, b []float32) float64 {
	mean, spread, diff := 0.0, 0.0, 0.0
	for _, x := range a {
		mean += float64(x) / float64(len(a))
	}
	for i, x := range a {
		spread += math.Pow(float64(x)-mean, 2)
		diff += math.Pow(float64(x)-float64(b[i]), 2)
	}
	return math.Sqrt(diff / spread)
}
