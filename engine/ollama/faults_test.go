package ollama_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/enginetest"
	"sparkd/engine/ollama"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// spoiler answers a continuation in place of the server; whole is what the server answered.
type spoiler func(w http.ResponseWriter, r *http.Request, whole []byte)

// status answers with a status and a body.
func status(code int, body string, header ...string) spoiler {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// rewritten changes the first match of an expression in the answer.
func rewritten(expression, with string) spoiler {
	re := regexp.MustCompile(expression)
	return func(w http.ResponseWriter, _ *http.Request, whole []byte) {
		at := re.FindIndex(whole)
		if at == nil {
			panic("nothing to spoil: " + expression)
		}
		_, _ = w.Write(bytes.Join([][]byte{whole[:at[0]], []byte(with), whole[at[1]:]}, nil))
	}
}

var faults = []struct {
	name  string
	code  sparkd.Code
	after time.Duration // of the httpclient.Retry; -1 where there is none
	spoil spoiler
}{
	{"reset in the middle of the stream", sparkd.CodeUnavailable, 0,
		func(w http.ResponseWriter, _ *http.Request, whole []byte) {
			_, _ = w.Write(whole[:len(whole)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
	{"reset at once", sparkd.CodeUnavailable, 0,
		func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }},
	{"429", sparkd.CodeUnavailable, 7 * time.Second, status(429, `{"error":"slow down"}`, "Retry-After", "7")},
	{"503", sparkd.CodeUnavailable, 0, status(503,
		`{"error":"server busy, please try again.  maximum pending requests exceeded"}`)},
	{"500", sparkd.CodeEngine, -1, status(500, `{"error":"model runner has unexpectedly stopped"}`)},
	{"404", sparkd.CodeEngine, -1, status(404, `{"error":"model 'sparkd' not found"}`)},
	{"not JSON", sparkd.CodeEngine, -1, status(200, "<html>It works!</html>")},
	{"half a stream", sparkd.CodeEngine, -1, func(w http.ResponseWriter, _ *http.Request, whole []byte) {
		_, _ = w.Write(whole[:bytes.LastIndexByte(bytes.TrimSpace(whole), '\n')+1])
	}},
	{"nothing", sparkd.CodeEngine, -1, status(200, "")},
	{"another JSON", sparkd.CodeEngine, -1, status(200, `{"ok":true}`)},
	{"an error in the stream", sparkd.CodeEngine, -1,
		rewritten(`\n\{`, "\n"+`{"error":"an error was encountered while running the model"}`+"\n{")},
	{"a token without a logprob", sparkd.CodeEngine, -1, rewritten(`"logprobs":\[.*\]`, `"logprobs":[]`)},
	{"more logprobs than bytes", sparkd.CodeEngine, -1,
		rewritten(`"response":"[^"]*","done":false,"logprobs":\[`,
			`"response":"e","done":false,"logprobs":[{"token":"e","logprob":-1},`)},
	{"NaN logprob", sparkd.CodeEngine, -1, rewritten(`"logprob":[^,]*,`, `"logprob":NaN,`)},
	{"a logprob above 0", sparkd.CodeEngine, -1, rewritten(`"logprob":[^,]*,`, `"logprob":3,`)},
	{"a wrong model", sparkd.CodeEngine, -1, rewritten(`"model":"[^"]*"`, `"model":"other"`)},
	{"no text", sparkd.CodeEngine, -1, status(200,
		`{"model":"sparkd:latest","response":"","done":true,"done_reason":"length","eval_count":12}`)},
	{"overflow", sparkd.CodeContext, -1, status(400,
		`{"error":"request (1030 tokens) exceeds the available context size (1024 tokens), try increasing it"}`)},
	{"refusal", sparkd.CodeInvalid, -1, status(400, `{"error":"typical_p is no longer supported"}`)},
	{"hang", sparkd.CodeUnavailable, 0, func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		<-r.Context().Done()
	}},
	{"hang in the stream", sparkd.CodeUnavailable, 0, func(w http.ResponseWriter, r *http.Request, whole []byte) {
		_, _ = w.Write(whole[:len(whole)/2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}},
}

// TestFaults: every fault of a continuation is a typed failure, after which the engine goes
// on, and nothing is left behind.
func TestFaults(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("all", everyFault)
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines are left of %d: %s", n, before, buf[:runtime.Stack(buf, true)])
	}
}

func everyFault(t *testing.T) {
	var now atomic.Pointer[spoiler]
	inner := recording(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spoil := now.Load()
		if spoil == nil || r.URL.Path != "/api/generate" {
			inner.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		inner.ServeHTTP(whole, r)
		(*spoil)(w, r, bytes.Clone(whole.Body.Bytes()))
	}))
	defer server.Close()
	e, err := ollama.Open(t.Context(), remote.Options{URL: server.URL, Context: recordedContext, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	request := recordedRequest(t, e)
	if _, err := e.Sample(t.Context(), request); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	for _, f := range faults {
		now.Store(&f.spoil)
		_, err := e.Sample(t.Context(), request)
		now.Store(nil)
		var typed *sparkd.Error
		if !errors.As(err, &typed) || typed.Code != f.code || typed.Message == "" {
			t.Errorf("%s: %v (code %s), want code %s", f.name, err, sparkd.CodeOf(err), f.code)
		}
		var retry *httpclient.Retry
		if passing := errors.As(err, &retry); passing != (f.after >= 0) || passing && retry.After != f.after {
			t.Errorf("%s: retry %+v, want after %v", f.name, retry, f.after)
		}
		if _, err := e.Sample(t.Context(), request); err != nil {
			t.Errorf("after %s: %v", f.name, err)
		}
	}
	hang := faults[len(faults)-2].spoil
	now.Store(&hang)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := e.Sample(ctx, request); sparkd.CodeOf(err) != sparkd.CodeDeadline {
		t.Errorf("the caller's deadline: %v", err)
	}
	done := make(chan error, 1)
	go func() { _, err := e.Sample(t.Context(), request); done <- err }()
	e.Close()
	if err := <-done; sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("closed: %v", err)
	}
	server.Close()
	if _, err := ollama.Open(t.Context(), remote.Options{URL: server.URL}); !httpclient.IsPassing(err) {
		t.Errorf("refused: %v", err)
	}
}

// TestNotOllama: what answers as another server is refused with the reason.
func TestNotOllama(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]string
		code    sparkd.Code
	}{
		"a web page":   {map[string]string{"/api/version": "<html>"}, sparkd.CodeEngine},
		"another JSON": {map[string]string{"/api/version": `{"ok":true}`}, sparkd.CodeInvalid},
		"no model": {map[string]string{"/api/version": `{"version":"0.34.2"}`, "/api/tags": `{"models":[]}`},
			sparkd.CodeEngine},
		"no vocabulary": {map[string]string{"/api/version": `{"version":"0.34.2"}`,
			"/api/tags": `{"models":[{"model":"m:latest"}]}`, "/api/show": `{"model_info":{}}`}, sparkd.CodeEngine},
		"an odd tokenizer": {map[string]string{"/api/version": `{"version":"0.34.2"}`,
			"/api/tags": `{"models":[{"model":"m:latest"}]}`,
			"/api/show": `{"model_info":{"tokenizer.ggml.model":"bert",` +
				`"tokenizer.ggml.tokens":["a"],"tokenizer.ggml.token_type":[1]}}`}, sparkd.CodeEngine},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(c.answers[r.URL.Path]))
		}))
		_, err := ollama.Open(t.Context(), remote.Options{URL: server.URL})
		server.Close()
		if e := sparkd.AsError(err); e == nil || e.Code != c.code || e.Message == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// recordedContext is the num_ctx of the recordings.
const recordedContext = 1024

// recording serves what a real server answered.
func recording(t *testing.T) *enginetest.Tape {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	tape, err := enginetest.Replay(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

// recordedRequest is one that the conformance suite sends, so that a recording knows it.
func recordedRequest(t *testing.T, e *remote.Engine) sparkd.SampleRequest {
	t.Helper()
	text := "Once upon a time there was a little house at the edge of the forest, and in it lived"
	ids, err := e.Tokenize(t.Context(), text, false)
	if err != nil {
		t.Fatal(err)
	}
	return sparkd.SampleRequest{Prefix: ids, K: 1, Seeds: []uint64{11}, Tree: "x",
		Sampling: sparkd.Sampling{Temperature: 1, MaxTokens: 12}}
}
