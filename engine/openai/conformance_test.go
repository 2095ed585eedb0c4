package openai_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/engine/enginetest"
	"sparkd/engine/openai"
)

// tapes are recordings of real servers.
func tapes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	return files
}

// TestRecordings runs the conformance suite against what real servers answered.
func TestRecordings(t *testing.T) {
	for _, file := range tapes(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".jsonl.gz")
		t.Run(name, func(t *testing.T) {
			tape, err := enginetest.Replay(file)
			if err != nil {
				t.Fatal(err)
			}
			conform(t, openai.Options{URL: "http://recording", Transport: tape}, nil)
		})
	}
}

// TestConformanceLive runs it against servers: SPARKD_CONFORMANCE_URL has their addresses,
// separated by commas. With SPARKD_CONFORMANCE_RECORD=name what they answer is recorded as
// testdata/DIALECT-VERSION-name.jsonl.gz.
func TestConformanceLive(t *testing.T) {
	list := os.Getenv("SPARKD_CONFORMANCE_URL")
	if list == "" {
		t.Skip("SPARKD_CONFORMANCE_URL names no servers; see `make conformance`")
	}
	for url := range strings.SplitSeq(list, ",") {
		t.Run(url, func(t *testing.T) { live(t, strings.TrimSpace(url), os.Getenv("SPARKD_CONFORMANCE_RECORD")) })
	}
}

func live(t *testing.T, url, record string) {
	o := openai.Options{URL: url, Timeout: 5 * time.Minute}
	if record != "" {
		file := filepath.Join(t.TempDir(), "tape")
		tape := enginetest.Record(file, http.DefaultTransport)
		o.Transport = tape
		dialect, version := conform(t, o, running(url))
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
		name := fmt.Sprintf("testdata/%s-%s-%s.jsonl.gz", dialect, version, record)
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("recorded %s, %d bytes", name, len(data))
		return
	}
	conform(t, o, running(url))
}

// conform opens an engine and runs the suite.
func conform(t *testing.T, o openai.Options, running func(context.Context) (int, error)) (dialect, version string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	e, err := openai.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	dialect, version = e.Dialect()
	info := e.Describe()
	t.Logf("%s %s: %+v, settings %v, %d ids, context %d, BOS %d (added: %v), EOS %d, EOT %d, template of %d bytes, policy %q, tokenizer %s", dialect, version,
		info.Capabilities, info.Settings, info.Vocabulary, info.ContextLength, info.BOS, info.AddBOS, info.EOS, info.EOT, len(info.ChatTemplate), info.PolicyVersion, info.TokenizerHash)
	enginetest.Run(t, e, enginetest.Options{Running: running})
	if err := e.Probe(ctx); err != nil {
		t.Errorf("probe: %v", err)
	}
	return dialect, version
}
