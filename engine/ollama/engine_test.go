package ollama_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/ollama"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// opened is an engine on a recording, through a handler that may answer itself.
func opened(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body []byte) bool) *remote.Engine {
	t.Helper()
	tape := recording(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if !answer(w, r, body) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			tape.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	e, err := ollama.Open(t.Context(), remote.Options{URL: server.URL, Context: recordedContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// TestTokenizer: the tokenizer rebuilt from what Ollama tells is llama.cpp's.
func TestTokenizer(t *testing.T) {
	e := opened(t, func(http.ResponseWriter, *http.Request, []byte) bool { return false })
	ollama.CompareGolden(t, func(text string, control bool) ([]sparkd.Token, error) {
		return e.Tokenize(t.Context(), text, control)
	})
}

// TestRequests: every option is sent, and siblings go one after the other.
func TestRequests(t *testing.T) {
	var running, most, sent atomic.Int32
	e := opened(t, func(_ http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.URL.Path != "/api/generate" {
			return false
		}
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		sent.Add(1)
		var q struct {
			Raw, Truncate, Shift, Think *bool
			Options                     map[string]any
		}
		if err := json.Unmarshal(body, &q); err != nil || q.Raw == nil || !*q.Raw || q.Truncate == nil ||
			*q.Truncate || q.Shift == nil || *q.Shift || q.Think == nil || *q.Think {
			t.Errorf("%v: %s", err, body)
		}
		for _, name := range []string{"temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last_n",
			"presence_penalty", "frequency_penalty", "seed", "num_predict", "num_ctx", "num_keep", "stop"} {
			if _, ok := q.Options[name]; !ok {
				t.Errorf("no option %s in %s", name, body)
			}
		}
		return false
	})
	sent.Store(0)
	r := recordedRequest(t, e)
	r.K, r.Seeds = 3, []uint64{11, 1011, 2011}
	got, err := e.Sample(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if n := sent.Load(); n != 3 || most.Load() != 1 || len(got.Samples) != 3 || got.Forks != 2 {
		t.Errorf("%d requests, %d at once, for %d samples and %d forks", n, most.Load(), len(got.Samples), got.Forks)
	}
	if n := len(r.Prefix); got.CachedTokens+got.ComputedTokens < n || got.ComputedTokens > n+2 {
		t.Errorf("cached %d, computed %d of %d", got.CachedTokens, got.ComputedTokens, n)
	}
	r.Sampling.StopTokenIDs = []sparkd.Token{5}
	if _, err := e.Sample(t.Context(), r); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("stop token ids: %v", err)
	}
}

// TestProbe: an unloaded model is noticed once, other weights under its name always.
func TestProbe(t *testing.T) {
	var models atomic.Pointer[string]
	e := opened(t, func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if m := models.Load(); m != nil && r.URL.Path == "/api/ps" {
			_, _ = w.Write([]byte(*m))
			return true
		}
		return false
	})
	if err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone, other := `{"models":[]}`, `{"models":[{"model":"sparkd:latest","digest":"abc"}]}`
	models.Store(&gone)
	if err := e.Probe(t.Context()); !errors.Is(err, httpclient.ErrRestarted) ||
		sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("unloaded: %v", err)
	}
	if err := e.Probe(t.Context()); err != nil {
		t.Errorf("unloaded, again: %v", err)
	}
	models.Store(&other)
	for range 2 {
		if err := e.Probe(t.Context()); sparkd.CodeOf(err) != sparkd.CodeEngine {
			t.Errorf("other weights: %v", err)
		}
	}
}

// TestReloadFails: after an error the old weights serve on.
func TestReloadFails(t *testing.T) {
	e := opened(t, func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/blobs/"):
			w.WriteHeader(http.StatusCreated)
		case r.URL.Path == "/api/create":
			_, _ = w.Write([]byte(`{"error":"invalid file magic"}` + "\n"))
		default:
			return false
		}
		return true
	})
	file := filepath.Join(t.TempDir(), "weights.gguf")
	if err := os.WriteFile(file, []byte("no GGUF"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := e.Describe().PolicyVersion
	for want, w := range map[sparkd.Code]sparkd.Weights{
		sparkd.CodeEngine:  {Path: file},
		sparkd.CodeInvalid: {Path: file, LoRA: true},
	} {
		if _, err := e.Reload(t.Context(), w); sparkd.CodeOf(err) != want {
			t.Errorf("%+v: %v", w, err)
		}
	}
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: file + "x"}); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("no file: %v", err)
	}
	if got, err := e.Sample(t.Context(), recordedRequest(t, e)); err != nil || got.PolicyVersion != before {
		t.Errorf("the old weights: %q, %v", got.PolicyVersion, err)
	}
}

// TestReloadLive exchanges the weights of a real server: SPARKD_CONFORMANCE_OLLAMA has its
// address, SPARKD_CONFORMANCE_GGUF the file of other weights of the model that it serves.
func TestReloadLive(t *testing.T) {
	url, file := os.Getenv("SPARKD_CONFORMANCE_OLLAMA"), os.Getenv("SPARKD_CONFORMANCE_GGUF")
	if url == "" || file == "" {
		t.Skip("SPARKD_CONFORMANCE_OLLAMA and SPARKD_CONFORMANCE_GGUF name no server and weights; " +
			"see `make conformance`")
	}
	e, err := ollama.Open(t.Context(), remote.Options{URL: url, Model: os.Getenv("SPARKD_CONFORMANCE_OLLAMA_MODEL"),
		Context: recordedContext})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := recordedRequest(t, e)
	r.Sampling.Temperature = 0
	var logprobs []float32
	versions := []string{e.Describe().PolicyVersion}
	for _, version := range []string{"", "two", "three"} {
		if version != "" {
			began := time.Now()
			got, err := e.Reload(t.Context(), sparkd.Weights{Path: file, Version: version})
			if err != nil || got != version || e.Describe().PolicyVersion != version {
				t.Fatalf("reload: %q, %v", got, err)
			}
			t.Logf("reloaded in %v", time.Since(began))
			versions = append(versions, version)
		}
		got, err := e.Sample(t.Context(), r)
		if err != nil || got.PolicyVersion != versions[len(versions)-1] {
			t.Fatalf("%q: %v", got.PolicyVersion, err)
		}
		logprobs = append(logprobs, got.Samples[0].Logprobs[0])
	}
	if logprobs[0] == logprobs[1] || logprobs[1] != logprobs[2] {
		t.Errorf("first logprobs of versions %v: %v", versions, logprobs)
	}
	if err := e.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
}
