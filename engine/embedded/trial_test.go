//go:build cgo

package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

// try loads a file as the engine does.
func try(t *testing.T, l *loader, path string) error {
	t.Helper()
	b, _, err := l.load(t.Context(), sparkd.Weights{Path: path}, checkpoint{})
	if err == nil {
		b.close()
	}
	return err
}

// What ends the process of a trial is an error of the file.
func TestTrialThatDies(t *testing.T) {
	path := tinyFile(t, filepath.Join(t.TempDir(), "odd.gguf"), gguftest.Shape{}, 1)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// llama.cpp divides by the second dimension of a tensor.
	const name = "blk.0.attn_q.weight"
	binary.LittleEndian.PutUint64(file[bytes.Index(file, []byte(name))+len(name)+4+8:], 0)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	err = try(t, &loader{options: smallOptions}, path)
	if e := sparkd.AsError(err); e == nil || e.Code != sparkd.CodeModel || e.Remedy == "" ||
		!strings.Contains(e.Message, "odd.gguf ends the process that loads it: ") {
		t.Errorf("%v", err)
	}
}

// A file that announces more than there is takes neither the memory nor the time.
func TestTrialOfWhatIsAnnounced(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(tinyFile(t, filepath.Join(dir, "whole.gguf"), gguftest.Shape{}, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.merges"} {
		for _, n := range []uint64{1 << 28, 1 << 31, 1 << 40, math.MaxUint64} {
			b := bytes.Clone(whole)
			binary.LittleEndian.PutUint64(b[bytes.Index(b, []byte(key))+len(key)+8:], n)
			path := filepath.Join(dir, "announces.gguf")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			err := try(t, &loader{options: smallOptions}, path)
			if took := time.Since(began); sparkd.CodeOf(err) != sparkd.CodeModel || took > 10*time.Second {
				t.Errorf("%d of %s: %v after %v", n, key, err, took)
			}
		}
	}
}

// Weights of the next training step are not tried again, anything else is.
func TestTrialsAreRemembered(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, s gguftest.Shape, seed uint64) string {
		return tinyFile(t, filepath.Join(dir, name), s, seed)
	}
	l := &loader{options: smallOptions}
	first, next := file("first.gguf", gguftest.Shape{}, 1), file("next.gguf", gguftest.Shape{}, 2)
	if l.passed.covers(first) {
		t.Error("a trial before the first")
	}
	if err := try(t, l, first); err != nil {
		t.Fatal(err)
	}
	named := gguftest.Shape{Metadata: map[string]any{"general.name": "RANDOM"}}
	for path, want := range map[string]bool{first: true, next: true, file("named.gguf", named, 1): false,
		file("deep.gguf", gguftest.Shape{Layers: 3}, 1): false, filepath.Join(dir, "none"): false} {
		if l.passed.covers(path) != want {
			t.Errorf("%s needs no trial: %v", path, !want)
		}
	}
}

func TestTrialIsGivenUp(t *testing.T) {
	path := tinyFile(t, filepath.Join(t.TempDir(), "model.gguf"), gguftest.Shape{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runTrial(ctx, weights{model: checkpoint{path: path}}); sparkd.CodeOf(err) != sparkd.CodeCanceled {
		t.Errorf("%v", err)
	}
}

// Of a model in several files all count.
func TestSizeOfParts(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"m-00001-of-00002.gguf": 10, "m-00002-of-00002.gguf": 200,
		"m-00001-of-00003.gguf": 4000, "other.gguf": 50000} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int64{"m-00001-of-00002.gguf": 210, "other.gguf": 50000, "none.gguf": 0} {
		if got := sizeOf(filepath.Join(dir, name)); got != want {
			t.Errorf("%s: %d bytes, want %d", name, got, want)
		}
	}
}
