//go:build cgo

package embedded

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// On the real model a fork must have the logits of a computation from scratch: to the last
// bit where weights are multiplied as integers, and within the rounding of F16 and F32
// sums (and of keys and values to F16) otherwise. `make test` names the model.
func TestForkEqualsScratchOnTheRealModel(t *testing.T) {
	shipped := os.Getenv("SPARKD_TEST_MODEL")
	if shipped == "" {
		t.Skip("SKIPPED: no SPARKD_TEST_MODEL; make test fetches SmolLM2-135M and names it")
	}
	for _, c := range []struct {
		weights   string
		tolerance float64 // of a logit; they spread over about 29
	}{{"", 0}, {"Q8_0", 0}, {"Q4_0", 0}, {"F16", 0.1}, {"F32", 0.02}} {
		path := shipped
		if c.weights != "" {
			path = filepath.Join(t.TempDir(), c.weights+".gguf")
			if err := Quantize(shipped, path, c.weights); err != nil {
				t.Fatal(err)
			}
		}
		m, err := openFile(path, modelOptions{blocks: 256, batch: 512, segments: 16})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 5))
		const n, tail = 300, 24
		tokens := randomTokens(r, n+tail, m.vocabulary())
		scratch := logitsOf(t, m, segment{path: blocksFrom(0, n+tail), tokens: tokens, output: true})[0]
		prefix := raggedBlocks(r, 60, n)
		logitsOf(t, m, segment{path: cut(prefix, 113), tokens: tokens[:113]})
		logitsOf(t, m, segment{path: prefix, tokens: tokens[113:n]})
		branch := func(first int32, k int) []blockRef { return slices.Concat(prefix, blocksFrom(first, k)) }
		sibling := segment{path: branch(220, tail), tokens: randomTokens(r, tail, m.vocabulary()), output: true}
		fork := logitsOf(t, m, sibling, segment{path: branch(230, tail), tokens: tokens[n:], output: true})[1]
		var step []float32
		for i := range tail {
			step = logitsOf(t, m, segment{path: branch(240, i+1), tokens: tokens[n+i : n+i+1], output: true})[0]
		}
		t.Logf("%s: fork differs by %g, token by token by %g", m.about.WeightType, farthest(scratch, fork),
			farthest(scratch, step))
		if d := max(farthest(scratch, fork), farthest(scratch, step)); d > c.tolerance {
			t.Errorf("%s: a logit differs by %g, tolerance %g", m.about.WeightType, d, c.tolerance)
		}
		m.close()
	}
}
