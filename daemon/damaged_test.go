//go:build cgo

package daemon_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"sparkd"
	"sparkd/daemon"
	"sparkd/engine/embedded/gguftest"
)

// damagedWeights are files that no model can be read from, by what is wrong with them.
func damagedWeights(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	files := map[string]string{"nothing there": path("none"), "a folder": dir, "a pipe": path("pipe"),
		"no GGUF": path("text"), "empty": path("empty")}
	if err := syscall.Mkfifo(files["a pipe"], 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(files["no GGUF"], "hello\n")
	write(files["empty"], "")
	tokens := gguftest.Vocabulary{Model: "llama"}.Shape().Metadata["tokenizer.ggml.tokens"].([]string)
	tokens[300] = tokens[299]
	for name, meta := range map[string]map[string]any{
		"no tokenizer":             {"tokenizer.ggml.model": "none"},
		"RWKV's tokenizer":         {"tokenizer.ggml.model": "rwkv"},
		"a token twice":            {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": nil},
		"no layers":                {"llama.block_count": 0},
		"too many layers":          {"llama.block_count": 1 << 31},
		"a negative epsilon":       {"llama.attention.layer_norm_rms_epsilon": float32(-1)},
		"heads that do not fit":    {"llama.attention.head_count": 3},
		"rotation of an odd width": {"llama.rope.dimension_count": 3},
		"no context":               {"llama.context_length": 0},
	} {
		files[name] = path(name)
		shape := gguftest.Shape{Metadata: meta}
		if meta["tokenizer.ggml.tokens"] != nil {
			shape.Vocabulary = len(tokens)
		}
		if err := gguftest.Write(files[name], shape, 1); err != nil {
			t.Fatal(err)
		}
	}
	spm := gguftest.Vocabulary{Model: "llama", NoBytes: true}
	files["no bytes"] = path("no bytes")
	if err := gguftest.Write(files["no bytes"], spm.Shape(), 1); err != nil {
		t.Fatal(err)
	}
	return files
}

// Weights that are damaged, in ways of a table and at random, are refused while rollouts go on on the old ones; now and
// then the damage is none, and they serve. No file ends the daemon.
func TestDamagedWeights(t *testing.T) {
	c := tinyModel(t)
	r := start(t, c, daemon.Parts{})
	before, err := r.Client.Engines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	version := before.PolicyVersion
	files := damagedWeights(t)
	refused := maps.Clone(files)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 25 {
		file, what := gguftest.Damaged(random.Uint64())
		name := "random: " + what
		files[name] = filepath.Join(t.TempDir(), "damaged.gguf")
		if err := os.WriteFile(files[name], file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for name, path := range files {
		n++
		s := tinySpec()
		s.ID = fmt.Sprint("rollout-", n)
		running := r.submit(s).ID
		began := time.Now()
		_, err := r.Client.Reload(t.Context(), sparkd.Weights{Path: path})
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		after, infoErr := r.Client.Engines(t.Context())
		if infoErr != nil {
			t.Fatalf("%s: %v", name, infoErr)
		}
		if e := sparkd.AsError(err); e != nil && (e.Code != sparkd.CodeModel || e.Remedy == "" || e.Field != "path" ||
			after.PolicyVersion != version) {
			t.Errorf("%s: %v, now %s", name, err, after.PolicyVersion)
		} else if e == nil && refused[name] != "" {
			t.Errorf("%s: no error", name)
		}
		version = after.PolicyVersion
		if got := r.wait(running); got.State != sparkd.RolloutDone || got.Stats.Leaves != 8 || got.Stats.Failed != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
