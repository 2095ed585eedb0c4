//go:build cgo

package embedded

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

var tinyEngine = Options{Threads: 1, Cells: 4096, Batch: 64, PrefixCache: true}

// tinyFile writes a random model.
func tinyFile(t *testing.T, path string, s gguftest.Shape, seed uint64) string {
	t.Helper()
	if err := gguftest.Write(path, s, seed); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTiny(t *testing.T, path string) *Engine {
	t.Helper()
	o := tinyEngine
	o.Model = path
	e, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// warm samples twice: the prefix is cached the second time, so that what is computed, and
// with it the rounding of F32 weights, does not depend on what was sampled before.
func warm(t *testing.T, e *Engine, r sparkd.SampleRequest) sparkd.SampleResult {
	t.Helper()
	must(t, e, r)
	return must(t, e, r)
}

func must(t *testing.T, e *Engine, r sparkd.SampleRequest) sparkd.SampleResult {
	t.Helper()
	got, err := e.Sample(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The first 12 hex digits of the file's SHA-256 name a version, or the name that was given;
// the weights may have another type, number of layers and width.
func TestReloadGGUF(t *testing.T) {
	dir := t.TempDir()
	first := tinyFile(t, filepath.Join(dir, "first.gguf"), gguftest.Shape{}, 1)
	deep := tinyFile(t, filepath.Join(dir, "deep.gguf"), gguftest.Shape{Layers: 5, Width: 96, Heads: 2, KVHeads: 1}, 2)
	small := filepath.Join(dir, "small.gguf")
	if err := Quantize(deep, small, "Q8_0"); err != nil {
		t.Fatal(err)
	}
	e := openTiny(t, first)
	if about := e.Describe(); about.TokenizerHash == "" || !about.Capabilities.Reload || !about.Capabilities.Abort ||
		about.Capabilities.TopK != about.Vocabulary {
		t.Errorf("%+v", about)
	}
	request := ask(ids(1, 100), 2, 20, 1)
	must(t, e, request)
	for _, c := range []struct{ path, version, weights string }{{deep, "", "F32"}, {small, "step 7", "Q8_0"},
		{first, "", "F32"}} {
		fresh := openTiny(t, c.path)
		want, version := must(t, fresh, request), c.version
		if version == "" {
			version = fresh.Describe().PolicyVersion
		}
		got, err := e.Reload(t.Context(), sparkd.Weights{Path: c.path, Version: c.version})
		if about := e.Describe(); err != nil || got != version || about.PolicyVersion != version ||
			about.WeightType != c.weights || about.ChatTemplate != gguftest.Template {
			t.Fatalf("%s: %q, %v, %+v", c.path, got, err, about)
		}
		if result := must(t, e, request); result.PolicyVersion != version || result.CachedTokens != 0 ||
			fmt.Sprint(result.Samples) != fmt.Sprint(want.Samples) {
			t.Errorf("%s: %+v", c.path, result)
		}
		if result := must(t, e, request); result.CachedTokens != 99 || result.ExpectedTokens != 99 {
			t.Errorf("%s again: %d cached", c.path, result.CachedTokens)
		}
	}
}

// Where nobody says how many cells, they suit the model that was opened, and other weights
// have as many.
func TestCellsNobodySet(t *testing.T) {
	dir := t.TempDir()
	first := tinyFile(t, filepath.Join(dir, "first.gguf"), gguftest.Shape{}, 1)
	deep := tinyFile(t, filepath.Join(dir, "deep.gguf"), gguftest.Shape{Layers: 5, Width: 96, Heads: 2, KVHeads: 1}, 2)
	e, err := Open(t.Context(), Options{Model: first, Threads: 1, Batch: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	check := func(file string, cellBytes int64) {
		if about := e.Describe(); about.Cells != 65536 || about.Settings["kv_bytes"] != 65536*cellBytes {
			t.Errorf("%s: %v cells of %v bytes, want 65536 of %d each", file, about.Cells, about.Settings["kv_bytes"],
				cellBytes)
		}
	}
	check(first, 2*2*(16+16)*2) // layers, KV heads, key and value, bytes of an F16
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: deep}); err != nil {
		t.Fatal(err)
	}
	check(deep, 5*1*(48+48)*2)
}

// TestEveryVersionUnderLoad exchanges weights while many callers sample: each sample has
// the tokens and logprobs of an engine that was opened with the file of the version it
// carries. Q8_0 weights make them equal to the last bit.
func TestEveryVersionUnderLoad(t *testing.T) {
	dir, shape := t.TempDir(), gguftest.Shape{}
	var files []string
	fresh := map[string]*Engine{}
	for seed := range uint64(3) {
		plain := tinyFile(t, filepath.Join(dir, "plain.gguf"), shape, seed+1)
		path := filepath.Join(dir, fmt.Sprint(seed, ".gguf"))
		if err := Quantize(plain, path, "Q8_0"); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
		fresh[path] = openTiny(t, path)
	}
	e := openTiny(t, files[0])
	e.Reload(t.Context(), sparkd.Weights{Path: files[0], Version: files[0]})
	type answer struct {
		sparkd.SampleRequest
		sparkd.SampleResult
	}
	var answers []answer
	var mu sync.Mutex
	var over atomic.Bool
	var wg sync.WaitGroup
	for i := range uint64(6) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(i, 6))
			for !over.Load() && !t.Failed() {
				s := ask(ids(random.Uint64N(4), 1+random.IntN(120)), 1+random.IntN(3), 1+random.IntN(15),
					random.Uint64())
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(8) == 0 {
					cancel()
				}
				got, err := e.Sample(ctx, s)
				cancel()
				mu.Lock()
				if err == nil {
					answers = append(answers, answer{s, got})
				} else if sparkd.CodeOf(err) != sparkd.CodeCanceled {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	const reloads = 24
	for i := range reloads {
		path := files[(i+1)%len(files)]
		busy(t, e, 20)
		if got, err := e.Reload(t.Context(), sparkd.Weights{Path: path, Version: path}); err != nil || got != path {
			t.Fatal(got, err)
		}
		if _, err := e.Reload(t.Context(), sparkd.Weights{Path: dir}); sparkd.CodeOf(err) != sparkd.CodeModel {
			t.Fatal(err)
		}
	}
	over.Store(true)
	wg.Wait()
	seen := map[string]int{}
	for _, a := range answers {
		seen[a.PolicyVersion]++
		if seen[a.PolicyVersion] > 300 {
			continue
		}
		if want := must(t, fresh[a.PolicyVersion], a.SampleRequest); fmt.Sprint(a.Samples) != fmt.Sprint(want.Samples) {
			t.Fatalf("of %s:\n got %v\nwant %v", filepath.Base(a.PolicyVersion), a.Samples, want.Samples)
		}
	}
	if s := e.Stats(); len(seen) != len(files) || s.Reloads != reloads+1 || s.BlocksHeld != 0 {
		t.Errorf("%v, %+v", seen, s)
	}
	t.Logf("%d answers", len(answers))
}

func TestReloadRefusesBadFiles(t *testing.T) {
	dir := t.TempDir()
	good := tinyFile(t, filepath.Join(dir, "good.gguf"), gguftest.Shape{}, 1)
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
	tiny := func(name string, s gguftest.Shape) string { return tinyFile(t, filepath.Join(dir, name), s, 2) }
	e := openTiny(t, good)
	before := e.Describe()
	request := ask(ids(1, 50), 2, 10, 1)
	want := warm(t, e, request)
	eight := filepath.Join(dir, "eight.gguf")
	if err := Quantize(good, eight, "Q8_0"); err != nil {
		t.Fatal(err)
	}
	scale, err := os.ReadFile(eight)
	if err != nil {
		t.Fatal(err)
	}
	copy(scale[len(scale)-34:], []byte{0, 0x7e}) // the F16 scale of the last block, of 32 bytes
	for _, c := range []struct {
		name    string
		w       sparkd.Weights
		message string
	}{
		{"no path", sparkd.Weights{}, "no model"},
		{"missing", sparkd.Weights{Path: filepath.Join(dir, "none.gguf")}, "no file"},
		{"a folder", sparkd.Weights{Path: dir}, "not a file"},
		{"not a GGUF", sparkd.Weights{Path: write("readme", []byte("# hello\n"))}, "not a GGUF"},
		{"truncated", sparkd.Weights{Path: write("cut.gguf", data[:len(data)*2/3])}, "cannot load"},
		{"other vocabulary", sparkd.Weights{Path: tiny("words.gguf", gguftest.Shape{Vocabulary: 400})}, "vocabulary"},
		{"other context", sparkd.Weights{Path: tiny("short.gguf", gguftest.Shape{Context: 1024})}, "context length"},
		{"unknown architecture", sparkd.Weights{Path: tiny("alien.gguf", gguftest.Shape{Architecture: "alien"})},
			"architecture"},
		{"not a number", sparkd.Weights{Path: tiny("nan.gguf", gguftest.Shape{Scale: math.NaN()})}, "not finite"},
		{"a scale that is not a number", sparkd.Weights{Path: write("scale.gguf", scale)}, "not finite"},
		{"a model as an adapter", sparkd.Weights{Path: good, LoRA: true}, "no LoRA adapter"},
		{"an adapter as a model", sparkd.Weights{Path: adapterFile(t, gguftest.Shape{})}, "cannot load"},
		{"an adapter of another model", sparkd.Weights{Path: adapterFile(t, gguftest.Shape{Width: 96}), LoRA: true},
			"no LoRA adapter"},
	} {
		_, err := e.Reload(t.Context(), c.w)
		if got := sparkd.AsError(err); got == nil || got.Code != sparkd.CodeModel || got.Field != "path" ||
			got.Remedy == "" || !strings.Contains(got.Message, c.message) {
			t.Errorf("%s: %+v", c.name, err)
		}
		if got := warm(t, e, request); got.PolicyVersion != before.PolicyVersion ||
			fmt.Sprint(got.Samples) != fmt.Sprint(want.Samples) || e.Describe().PolicyVersion != before.PolicyVersion {
			t.Errorf("%s: the old weights do not serve on", c.name)
		}
	}
}

// A file that is loaded may be overwritten in place: it is read, not mapped.
func TestFileIsOverwritten(t *testing.T) {
	path := tinyFile(t, filepath.Join(t.TempDir(), "policy.gguf"), gguftest.Shape{}, 1)
	e := openTiny(t, path)
	request := ask(ids(1, 50), 2, 10, 1)
	old := warm(t, e, request)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: path}); sparkd.CodeOf(err) != sparkd.CodeModel {
		t.Fatal(err)
	}
	tinyFile(t, path, gguftest.Shape{}, 2)
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: adapterFile(t, gguftest.Shape{}),
		LoRA: true}); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("an adapter for a file that is gone: %v", err)
	}
	if got := warm(t, e, request); fmt.Sprint(got.Samples) != fmt.Sprint(old.Samples) {
		t.Error("the weights changed with the file")
	}
	if v, err := e.Reload(t.Context(), sparkd.Weights{Path: path}); err != nil || v == old.PolicyVersion {
		t.Fatal(v, err)
	}
	if got := warm(t, e, request); fmt.Sprint(got.Samples) == fmt.Sprint(old.Samples) {
		t.Error("the new weights sample as the old did")
	}
}

// Loading ends early when its caller goes away.
func TestLoadIsGivenUp(t *testing.T) {
	path := tinyFile(t, filepath.Join(t.TempDir(), "model.gguf"), gguftest.Shape{Layers: 20}, 1)
	c, err := inspect(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inspect(ctx, path); sparkd.CodeOf(err) != sparkd.CodeCanceled {
		t.Error(err)
	}
	for range 100 { // the load may be over before it is heard of
		m, err := openModel(ctx, weights{model: c}, smallOptions)
		if err == nil {
			m.close()
			continue
		}
		if sparkd.CodeOf(err) != sparkd.CodeCanceled {
			t.Error(err)
		}
		return
	}
	t.Error("100 loads went on after their caller had gone")
}

// Neither exchanges nor refused ones leave memory or threads behind.
func TestReloadLeavesNothing(t *testing.T) {
	dir, shape := t.TempDir(), gguftest.Shape{Width: 256, Layers: 4, FeedForward: 512}
	good := tinyFile(t, filepath.Join(dir, "good.gguf"), shape, 1)
	shape.Vocabulary = 400
	other := tinyFile(t, filepath.Join(dir, "other.gguf"), shape, 1)
	e := openTiny(t, good)
	turn := func() {
		must(t, e, ask(ids(1, 300), 2, 5, 1))
		if _, err := e.Reload(t.Context(), sparkd.Weights{Path: good}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Reload(t.Context(), sparkd.Weights{Path: other}); err == nil {
			t.Fatal("another vocabulary was loaded")
		}
	}
	for range 5 {
		turn()
	}
	memory, threads := status(t, "VmRSS"), status(t, "Threads")
	for range 15 {
		turn()
	}
	if grown, more := status(t, "VmRSS")-memory, status(t, "Threads")-threads; grown > 100_000 || more > 5 {
		t.Errorf("15 exchanges and 15 refusals of 15 MB leave %d kB and %d threads behind", grown, more)
	}
}
