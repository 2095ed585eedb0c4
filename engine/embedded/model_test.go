//go:build cgo

package embedded

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

var smallOptions = modelOptions{threads: 1, blocks: 512, batch: 256, segments: 32}

// tinyModel loads a random model of the given shape.
func tinyModel(t testing.TB, s gguftest.Shape) *model {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := gguftest.Write(path, s, 1); err != nil {
		t.Fatal(err)
	}
	m, err := openFile(path, smallOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.close)
	return m
}

// openFile loads the GGUF at path.
func openFile(path string, o modelOptions) (*model, error) {
	l := loader{options: o}
	b, _, err := l.load(context.Background(), sparkd.Weights{Path: path}, checkpoint{})
	if err != nil {
		return nil, err
	}
	return b.(*model), nil
}

func randomTokens(r *rand.Rand, n, vocabulary int) []sparkd.Token {
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = int32(r.IntN(vocabulary))
	}
	return out
}

func logitsOf(t *testing.T, m *model, segs ...segment) [][]float32 {
	t.Helper()
	if err := m.forward(segs); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, s := range segs {
		if s.output {
			out = append(out, append([]float32(nil), m.logits(len(out))...))
		}
	}
	return out
}

func farthest(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i])-float64(b[i])))
	}
	return d
}

// A forked branch must have the logits of a computation from scratch, wherever it forks,
// however its prefix was cut into forwards and whatever runs beside it.
func TestForkEqualsScratch(t *testing.T) {
	shapes := map[string]gguftest.Shape{
		"grouped heads": {},
		"one KV head":   {KVHeads: 1},
		"plain heads":   {Heads: 2, KVHeads: 2},
		"wide heads":    {Width: 96, Heads: 2, KVHeads: 1},
		"odd head size": {Width: 40, Heads: 2, KVHeads: 2},
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			m := tinyModel(t, shape)
			for seed := range uint64(8) {
				r := rand.New(rand.NewPCG(seed, 7))
				n, tail := 1+r.IntN(180), 1+r.IntN(60)
				tokens := randomTokens(r, n+tail, m.vocabulary())
				scratch := logitsOf(t, m, segment{path: blocksFrom(0, n+tail), tokens: tokens, output: true})[0]

				// The prefix once, in pieces of random size.
				for done := 0; done < n; {
					step := min(1+r.IntN(40), n-done)
					logitsOf(t, m, segment{path: blocksFrom(32, done+step), tokens: tokens[done : done+step]})
					done += step
				}
				// Three forks: the branch in question, a sibling, and the branch token by token.
				prefix := blocksFrom(32, n)
				branch := func(first int32, k int) []blockRef {
					return append(append([]blockRef(nil), prefix...), blocksFrom(first, k)...)
				}
				other := randomTokens(r, tail, m.vocabulary())
				got := logitsOf(t, m,
					segment{path: branch(80, tail), tokens: other, output: true},
					segment{path: branch(100, tail), tokens: tokens[n:], output: true})[1]
				if d := farthest(scratch, got); d > 2e-6 {
					t.Errorf("seed %d: %d+%d tokens, fork differs by %g", seed, n, tail, d)
				}
				for i := range tail {
					got = logitsOf(t, m, segment{path: branch(120, i+1), tokens: tokens[n+i : n+i+1], output: true})[0]
				}
				// Matrix kernels sum in another order for one row than for many; now and then that
				// turns the rounding of a key or value to F16.
				if d := farthest(scratch, got); d > 2e-5 {
					t.Errorf("seed %d: %d+%d tokens, token by token differs by %g", seed, n, tail, d)
				}
			}
		})
	}
}

// The paged kernel must agree with ggml's own attention in every shape; the load measures it.
func TestAttentionCheckIsSmall(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{})
	if m.deviation > 0.01 {
		t.Errorf("logits differ from ggml's attention by %v of their spread", m.deviation)
	}
}

func TestTokensRoundTrip(t *testing.T) {
	m := tinyModel(t, gguftest.Shape{})
	for _, text := range []string{"go to shelf 1", "Nothing happens.\n", "ünï<|im_end|>cödé 中", "\x00\xff"} {
		ids, err := m.tokenize(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "\x00") {
			continue // not UTF-8: no round trip is promised
		}
		if got := m.detokenize(ids); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
		for _, id := range ids {
			if m.isEndOfGeneration(id) {
				t.Errorf("%q holds a control token", text)
			}
		}
	}
	ids, _ := m.tokenize("<|im_end|>", true)
	if len(ids) != 1 || !m.isEndOfGeneration(ids[0]) {
		t.Errorf("control tokenisation of <|im_end|> is %v", ids)
	}
}

func TestBadModels(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.gguf")
	if err := gguftest.Write(good, gguftest.Shape{}, 1); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	alien := filepath.Join(dir, "alien.gguf")
	if err := gguftest.Write(alien, gguftest.Shape{Architecture: "alien"}, 1); err != nil {
		t.Fatal(err)
	}
	huge := append([]byte(nil), data...)
	binary.LittleEndian.PutUint64(huge[8:], 1<<60) // tensor count
	cases := []struct{ name, path, message string }{
		{"missing", filepath.Join(dir, "none.gguf"), "no file"},
		{"empty name", "", "no model"},
		{"a folder", dir, "not a file"},
		{"not a GGUF", write("readme.gguf", []byte("# hello\n")), "not a GGUF"},
		{"empty file", write("empty.gguf", nil), "not a GGUF"},
		{"truncated weights", write("cut.gguf", data[:len(data)*2/3]), "cannot load"},
		{"truncated header", write("head.gguf", data[:200]), "cannot load"},
		{"absurd header", write("huge.gguf", huge), "cannot load"},
		{"unknown architecture", alien, "architecture"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := openFile(c.path, smallOptions)
			e := sparkd.AsError(err)
			if e == nil || e.Code != sparkd.CodeModel || e.Field != "engine.model" || e.Remedy == "" ||
				!strings.Contains(e.Message, c.message) {
				t.Errorf("error %+v", err)
			}
		})
	}
}

// Closing a model gives its memory back: of 40 models of 15 MB less than 100 MB stay,
// which is what malloc keeps in pieces.
func TestOpenClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := gguftest.Write(path, gguftest.Shape{Width: 256, Layers: 4, FeedForward: 512}, 1); err != nil {
		t.Fatal(err)
	}
	open := func() {
		m, err := openFile(path, smallOptions)
		if err != nil {
			t.Fatal(err)
		}
		logitsOf(t, m, segment{path: blocksFrom(0, 20), tokens: make([]sparkd.Token, 20), output: true})
		m.close()
	}
	for range 5 {
		open()
	}
	before := residentKB(t)
	for range 40 {
		open()
	}
	if grown := residentKB(t) - before; grown > 100_000 {
		t.Errorf("40 models leave %d kB behind", grown)
	}
}

// A model that does not load leaves nothing behind either.
func TestFailedOpenLeavesNothing(t *testing.T) {
	good := filepath.Join(t.TempDir(), "model.gguf")
	if err := gguftest.Write(good, gguftest.Shape{Width: 256, Layers: 4, FeedForward: 512}, 1); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.gguf")
	if err := os.WriteFile(cut, data[:len(data)-1000], 0o644); err != nil {
		t.Fatal(err)
	}
	before := residentKB(t)
	for range 40 {
		if _, err := openFile(cut, smallOptions); err == nil {
			t.Fatal("a truncated model was loaded")
		}
	}
	if grown := residentKB(t) - before; grown > 45_000 {
		t.Errorf("40 failed loads leave %d kB behind", grown)
	}
}

func residentKB(t *testing.T) int { return status(t, "VmRSS") }

// status is a number that the system tells of this process.
func status(t *testing.T, name string) (n int) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status on this system")
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			fmt.Sscan(value, &n)
		}
	}
	return n
}

// raggedBlocks is a path of n tokens in blocks from first on that are filled to random
// degrees, as forks at any place leave them.
func raggedBlocks(r *rand.Rand, first int32, n int) []blockRef {
	var p []blockRef
	for n > 0 {
		k := min(1+r.IntN(blockTokens), n)
		p = append(p, blockRef{first, int32(k)})
		first++
		n -= k
	}
	return p
}

// With weights that are multiplied as integers, logits depend on the tokens alone: not on
// the blocks that hold the prefix, nor on how it was cut into forwards, nor on what ran
// beside it.
func TestQuantisedLogitsAreExact(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain.gguf")
	if err := gguftest.Write(plain, gguftest.Shape{Width: 128, Layers: 3}, 1); err != nil {
		t.Fatal(err)
	}
	for _, weights := range []string{"Q8_0", "Q4_0"} {
		path := filepath.Join(t.TempDir(), weights+".gguf")
		if err := Quantize(plain, path, weights); err != nil {
			t.Fatal(err)
		}
		m, err := openFile(path, modelOptions{threads: 2, blocks: 4096, batch: 512, segments: 32})
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(6) {
			r := rand.New(rand.NewPCG(seed, 11))
			n := 130 + r.IntN(380)
			tokens := randomTokens(r, n, m.vocabulary())
			want := logitsOf(t, m, segment{path: blocksFrom(0, n), tokens: tokens, output: true})[0]
			ragged := raggedBlocks(r, 100, n)
			got := logitsOf(t, m, segment{path: ragged, tokens: tokens, output: true})[0]
			if d := farthest(want, got); d != 0 {
				t.Errorf("%s, seed %d: %d tokens in other blocks differ by %g", weights, seed, n, d)
			}
			for done := 0; done < n; {
				step := min(1+r.IntN(90), n-done)
				beside := segment{path: blocksFrom(2000, 5), tokens: tokens[:5], output: true}
				next := segment{path: cut(ragged, done+step), tokens: tokens[done : done+step], output: true}
				got = logitsOf(t, m, beside, next)[1]
				done += step
			}
			if d := farthest(want, got); d != 0 {
				t.Errorf("%s, seed %d: %d tokens in pieces differ by %g", weights, seed, n, d)
			}
		}
		m.close()
	}
}
