package ollama_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/engine/enginetest"
	"sparkd/engine/ollama"
)

// TestRecordings runs the conformance suite against what a real server answered.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), func(t *testing.T) {
			tape, err := enginetest.Replay(file)
			if err != nil {
				t.Fatal(err)
			}
			conform(t, ollama.Options{URL: "http://recording", Context: recordedContext, Transport: tape})
		})
	}
}

// TestConformanceLive runs it against a server: SPARKD_CONFORMANCE_OLLAMA has its address,
// SPARKD_CONFORMANCE_OLLAMA_MODEL the name of a model if not the first. With
// SPARKD_CONFORMANCE_RECORD=name what it answers is recorded as
// testdata/ollama-VERSION-name.jsonl.gz.
func TestConformanceLive(t *testing.T) {
	url := os.Getenv("SPARKD_CONFORMANCE_OLLAMA")
	if url == "" {
		t.Skip("SPARKD_CONFORMANCE_OLLAMA names no server; see `make conformance`")
	}
	o := ollama.Options{URL: url, Context: recordedContext, Model: os.Getenv("SPARKD_CONFORMANCE_OLLAMA_MODEL")}
	record := os.Getenv("SPARKD_CONFORMANCE_RECORD")
	if record == "" {
		conform(t, o)
		return
	}
	file := filepath.Join(t.TempDir(), "tape")
	tape := enginetest.Record(file, http.DefaultTransport)
	o.Transport = tape
	version := conform(t, o)
	if t.Failed() {
		return
	}
	if err := tape.Save(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/ollama-"+version+"-"+record+".jsonl.gz", data, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("recorded %d bytes", len(data))
}

// conform opens an engine and runs the suite.
func conform(t *testing.T, o ollama.Options) (version string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := ollama.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	info := e.Describe()
	t.Logf("%+v, settings %v, %d ids, context %d, BOS %d (added: %v), EOS %d, EOT %d, policy %q, tokenizer %s", info.Capabilities, info.Settings,
		info.Vocabulary, info.ContextLength, info.BOS, info.AddBOS, info.EOS, info.EOT, info.PolicyVersion, info.TokenizerHash)
	enginetest.Run(t, e, enginetest.Options{})
	if err := e.Probe(ctx); err != nil {
		t.Errorf("probe: %v", err)
	}
	version = info.ServerVersion
	return version
}
