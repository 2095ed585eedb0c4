package engine_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/enginetest"
	"sparkd/engine/remote"
)

// recordedContext is the num_ctx of the recordings of Ollama.
const recordedContext = 1024

// recording serves what a real server answered; pattern is a package and a part of the name.
func recording(t *testing.T, pattern string) *enginetest.Tape {
	t.Helper()
	folder, name := filepath.Split(pattern)
	files, err := filepath.Glob(filepath.Join(folder, "testdata", name+".jsonl.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recording %s: %v", pattern, err)
	}
	tape, err := enginetest.Replay(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

// TestRecordings runs the conformance suite against what real servers answered.
func TestRecordings(t *testing.T) {
	files, err := filepath.Glob("*/testdata/*.jsonl.gz")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d recordings: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), func(t *testing.T) {
			tape, err := enginetest.Replay(file)
			if err != nil {
				t.Fatal(err)
			}
			dialect := "auto"
			if strings.HasPrefix(file, "ollama") {
				dialect = "ollama" // the recording knows no other server's routes
			}
			o := remote.Options{URL: "http://recording", Context: recordedContext, Transport: tape}
			conform(t, dialect, o, enginetest.Options{Recorded: true})
		})
	}
}

// TestConformanceLive runs it against servers: SPARKD_CONFORMANCE_URL has their addresses, separated by commas;
// SPARKD_CONFORMANCE_OLLAMA that of an Ollama server, and SPARKD_CONFORMANCE_OLLAMA_MODEL the name of its model if
// not the first. With SPARKD_CONFORMANCE_RECORD=name what they answer is recorded as
// PACKAGE/testdata/DIALECT-VERSION-name.jsonl.gz.
func TestConformanceLive(t *testing.T) {
	list, ollama := os.Getenv("SPARKD_CONFORMANCE_URL"), os.Getenv("SPARKD_CONFORMANCE_OLLAMA")
	if list == "" && ollama == "" {
		t.Skip("SPARKD_CONFORMANCE_URL and SPARKD_CONFORMANCE_OLLAMA name no servers; see `make conformance`")
	}
	for url := range strings.SplitSeq(list, ",") {
		if url = strings.TrimSpace(url); url != "" {
			t.Run(url, func(t *testing.T) { live(t, remote.Options{URL: url, Timeout: 5 * time.Minute}, running(url)) })
		}
	}
	if ollama != "" {
		t.Run(ollama, func(t *testing.T) { live(t, liveOllama(ollama), nil) })
	}
}

func liveOllama(url string) remote.Options {
	return remote.Options{URL: url, Context: recordedContext, Model: os.Getenv("SPARKD_CONFORMANCE_OLLAMA_MODEL")}
}

// folders are the packages of the dialects that are not named like them.
var folders = map[string]string{"llamacpp": "llamaserver"}

func live(t *testing.T, o remote.Options, running func(context.Context) (int, error)) {
	record := os.Getenv("SPARKD_CONFORMANCE_RECORD")
	if record == "" {
		conform(t, "auto", o, enginetest.Options{Running: running})
		return
	}
	file := filepath.Join(t.TempDir(), "tape")
	tape := enginetest.Record(file, http.DefaultTransport)
	o.Transport = tape
	about := conform(t, "auto", o, enginetest.Options{Running: running, Recorded: true})
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
	folder, ok := folders[about.Dialect]
	if !ok {
		folder = about.Dialect
	}
	name := fmt.Sprintf("%s/testdata/%s-%s-%s.jsonl.gz", folder, about.Dialect, about.ServerVersion, record)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("recorded %s, %d bytes", name, len(data))
}

// conform opens an engine and runs the suite.
func conform(t *testing.T, dialect string, o remote.Options, suite enginetest.Options) sparkd.EngineInfo {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := engine.Connect(ctx, dialect, o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	about := e.Describe()
	t.Logf("%+v, template of %d bytes, settings %v", about.Capabilities, len(about.ChatTemplate), about.Details())
	t.Logf("%d ids, context %d, BOS %d (added: %v), EOS %d, EOT %d, policy %q, tokenizer %s", about.Vocabulary,
		about.ContextLength, about.BOS, about.AddBOS, about.EOS, about.EOT, about.PolicyVersion, about.TokenizerHash)
	enginetest.Run(t, e, suite)
	if err := e.Probe(ctx); err != nil {
		t.Errorf("probe: %v", err)
	}
	return about
}
