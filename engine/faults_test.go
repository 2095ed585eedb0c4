package engine_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/enginetest"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// rig is a server of one dialect, real (recorded) or not, whose answers to a sample can be spoilt.
type rig struct {
	name     string
	generate string // path of a sample
	handler  func(t *testing.T) http.Handler
	spoil    map[string]func(string) string // of an answer's body, by the name of a fault; a missing one cannot happen
	overflow string                         // body of the refusal of an overlong prompt
}

func sub(expression, with string) func(string) string {
	re := regexp.MustCompile(expression)
	return func(body string) string {
		done := false
		return re.ReplaceAllStringFunc(body, func(m string) string {
			if done {
				return m
			}
			done = true
			return re.ReplaceAllString(m, with)
		})
	}
}

// llamaSpoil are the faults of llama-server, with copies and without.
var llamaSpoil = map[string]func(string) string{
	"lengths": sub(`"tokens":\[[^,]*,`, `"tokens":[`),
	"nan":     sub(`"logprob":[^,]*,`, `"logprob":NaN,`),
	"model":   sub(`"model":"[^"]*"`, `"model":"other"`),
	"none":    sub(`"tokens":\[[^\]]*\]`, `"tokens":[]`),
}

const llamaOverflow = `{"error":{"code":400,` +
	`"message":"request (1030 tokens) exceeds the available context size (1024 tokens)",` +
	`"type":"exceed_context_size_error"}}`

var rigs = []rig{
	{"vllm", "/v1/completions", taped("vllm/*"), map[string]func(string) string{
		"lengths": sub(`"token_logprobs":\[[^,]*,`, `"token_logprobs":[`),
		"nan":     sub(`"token_logprobs":\[[^,]*,`, `"token_logprobs":[NaN,`),
		"null":    sub(`"token_logprobs":\[[^,]*,`, `"token_logprobs":[null,`),
		"model":   sub(`"model":"[^"]*"`, `"model":"other"`),
		"prompt":  sub(`"prompt_token_ids":\[`, `"prompt_token_ids":[1,`),
		"none":    sub(`"token_ids":\[[^\]]*\]`, `"token_ids":[]`),
	}, `{"error":{"message":"This model's maximum context length is 512 tokens.",` +
		`"type":"BadRequestError","param":"input_tokens","code":400}}`},
	{"llamacpp", "/completion", taped("llamaserver/llamacpp-*-kvu"), llamaSpoil, llamaOverflow},
	{"llamacpp with copies", "/completion", taped("llamaserver/llamacpp-*-copies"), llamaSpoil, llamaOverflow},
	{"sglang", "/generate", serves("sglang"), map[string]func(string) string{
		"lengths": sub(`"output_token_logprobs":\[\[[^\]]*\],`, `"output_token_logprobs":[`),
		"nan":     sub(`"output_token_logprobs":\[\[[^,]*,`, `"output_token_logprobs":[[NaN,`),
		"null":    sub(`"output_token_logprobs":\[\[[^,]*,`, `"output_token_logprobs":[[null,`),
		"none":    sub(`"output_ids":\[[^\]]*\]`, `"output_ids":[]`),
	}, `{"error":{"message":"The input (600 tokens) is longer than the model's context length (512 tokens)."}}`},
	{"generic", "/v1/completions", serves("generic"), map[string]func(string) string{
		"model": sub(`"model":"[^"]*"`, `"model":"other"`),
	}, `{"error":{"message":"This model's maximum context length is 512 tokens.","type":"invalid_request_error"}}`},
}

// serves makes a server of a toy model.
func serves(dialect string) func(t *testing.T) http.Handler {
	return func(*testing.T) http.Handler { return enginetest.Serve(dialect, enginetest.Mean{}) }
}

// taped serves a recording over real connections.
func taped(pattern string) func(t *testing.T) http.Handler {
	return func(t *testing.T) http.Handler { return recording(t, pattern) }
}

// fault answers a sample in place of the server; whole is what the server answers.
type fault struct {
	name  string
	code  sparkd.Code
	after time.Duration // of the httpclient.Retry; -1 where there is none
	spoil func(w http.ResponseWriter, r *http.Request, rig *rig, whole []byte)
}

func status(code int, body string, header ...string) func(http.ResponseWriter, *http.Request, *rig, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ *rig, _ []byte) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func rewritten(name string) func(http.ResponseWriter, *http.Request, *rig, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, rig *rig, whole []byte) {
		spoilt := rig.spoil[name](string(whole))
		if spoilt == string(whole) {
			spoilt = "nothing was spoilt"
		}
		_, _ = w.Write([]byte(spoilt))
	}
}

var faults = []fault{
	{"reset in the body", sparkd.CodeUnavailable, 0,
		func(w http.ResponseWriter, _ *http.Request, _ *rig, whole []byte) {
			w.Header().Set("Content-Length", "100000000")
			_, _ = w.Write(whole[:len(whole)/2])
			panic(http.ErrAbortHandler)
		}},
	{"reset at once", sparkd.CodeUnavailable, 0,
		func(http.ResponseWriter, *http.Request, *rig, []byte) { panic(http.ErrAbortHandler) }},
	{"429", sparkd.CodeUnavailable, 7 * time.Second,
		status(429, `{"error":{"message":"slow down"}}`, "Retry-After", "7")},
	{"503", sparkd.CodeUnavailable, 0, status(503, `{"error":{"message":"Loading model","code":503}}`)},
	{"502", sparkd.CodeUnavailable, 0, status(502, "<html>Bad Gateway</html>")},
	{"500", sparkd.CodeEngine, -1, status(500, `{"error":{"message":"it broke"}}`)},
	{"401", sparkd.CodeEngine, -1, status(401, `{"error":"Unauthorized"}`)},
	{"404", sparkd.CodeEngine, -1, status(404, "{\"error\":{\"message\":\"The model `x` does not exist.\"}}")},
	{"redirect", sparkd.CodeEngine, -1, status(302, "", "Location", "http://127.0.0.1:1/")},
	{"not JSON", sparkd.CodeEngine, -1, status(200, "<html>It works!</html>")},
	{"half of a JSON", sparkd.CodeEngine, -1, func(w http.ResponseWriter, _ *http.Request, _ *rig, whole []byte) {
		_, _ = w.Write(whole[:len(whole)/2])
	}},
	{"nothing", sparkd.CodeEngine, -1, status(200, "")},
	{"another JSON", sparkd.CodeEngine, -1, status(200, `{"ok":true}`)},
	{"lengths", sparkd.CodeEngine, -1, rewritten("lengths")},
	{"nan", sparkd.CodeEngine, -1, rewritten("nan")},
	{"null", sparkd.CodeEngine, -1, rewritten("null")},
	{"model", sparkd.CodeEngine, -1, rewritten("model")},
	{"prompt", sparkd.CodeEngine, -1, rewritten("prompt")},
	{"none", sparkd.CodeEngine, -1, rewritten("none")},
	{"overflow", sparkd.CodeContext, -1, func(w http.ResponseWriter, _ *http.Request, rig *rig, _ []byte) {
		w.WriteHeader(400)
		_, _ = w.Write([]byte(rig.overflow))
	}},
	{"refusal", sparkd.CodeInvalid, -1, status(400, `{"error":{"message":"no such thing","param":"seed"}}`)},
	{"hang", sparkd.CodeUnavailable, 0, func(_ http.ResponseWriter, r *http.Request, _ *rig, _ []byte) {
		<-r.Context().Done()
	}},
	{"hang in the body", sparkd.CodeUnavailable, 0, func(w http.ResponseWriter, r *http.Request, _ *rig, whole []byte) {
		_, _ = w.Write(whole[:len(whole)/2])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}},
}

// TestFaults: every fault of a sample is a typed failure, after which the engine goes on,
// and nothing is left behind.
func TestFaults(t *testing.T) {
	for i := range rigs {
		rig := &rigs[i]
		t.Run(rig.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			t.Run("all", func(t *testing.T) { faultsOf(t, rig) })
			deadline := time.Now().Add(10 * time.Second)
			for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
				runtime.Gosched()
			}
			if n := runtime.NumGoroutine(); n > before {
				buf := make([]byte, 1<<16)
				t.Errorf("%d goroutines are left of %d: %s", n, before, buf[:runtime.Stack(buf, true)])
			}
		})
	}
}

func faultsOf(t *testing.T, rig *rig) {
	var now atomic.Pointer[fault]
	inner := rig.handler(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := now.Load()
		if f == nil || r.URL.Path != rig.generate {
			inner.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		inner.ServeHTTP(whole, r)
		f.spoil(w, r, rig, bytes.Clone(whole.Body.Bytes()))
	}))
	defer server.Close()
	e, err := engine.Connect(t.Context(), "auto", remote.Options{URL: server.URL, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	request := sampleOf(t, e)
	if _, err := e.Sample(t.Context(), request); err != nil {
		t.Fatalf("without a fault: %v", err)
	}
	for i := range faults {
		f := &faults[i]
		if _, ok := rig.spoil[f.name]; !ok && strings.ToLower(f.name) == f.name && isRewritten(f.name) {
			continue
		}
		now.Store(f)
		_, err := e.Sample(t.Context(), request)
		now.Store(nil)
		checkFault(t, f, err)
		if _, err := e.Sample(t.Context(), request); err != nil {
			t.Errorf("after %s: %v", f.name, err)
		}
	}
	now.Store(&faults[len(faults)-2]) // the caller's own deadline is no fault of the server
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
	again, err := engine.Connect(t.Context(), "auto", remote.Options{URL: server.URL})
	if again != nil || sparkd.CodeOf(err) != sparkd.CodeUnavailable || !httpclient.IsPassing(err) {
		t.Errorf("refused: %v", err)
	}
}

func isRewritten(name string) bool {
	for i := range rigs {
		if _, ok := rigs[i].spoil[name]; ok {
			return true
		}
	}
	return false
}

func checkFault(t *testing.T, f *fault, err error) {
	t.Helper()
	var typed *sparkd.Error
	if !errors.As(err, &typed) || typed.Code != f.code || typed.Message == "" {
		t.Errorf("%s: %v (code %s), want code %s", f.name, err, sparkd.CodeOf(err), f.code)
		return
	}
	var retry *httpclient.Retry
	if passing := errors.As(err, &retry); passing != (f.after >= 0) || passing && retry.After != f.after {
		t.Errorf("%s: retry %+v, want after %v", f.name, retry, f.after)
	}
}

// TestCopiesThatFail: a llama-server whose slots can be saved at first, and then not, or not
// read back, still answers.
func TestCopiesThatFail(t *testing.T) {
	var now atomic.Pointer[fault]
	var action atomic.Value
	inner := taped("llamaserver/llamacpp-*-copies")(t)
	e := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := now.Load(); f != nil && strings.HasPrefix(r.URL.Path, "/slots/") &&
			r.URL.Query().Get("action") == action.Load() {
			f.spoil(w, r, &rig{}, []byte("{}"))
			return
		}
		inner.ServeHTTP(w, r)
	}))
	request := sampleOf(t, e)
	request.K, request.Seeds = 4, []uint64{41, 1041, 2041, 3041}
	for i := range faults {
		if name := faults[i].name; strings.HasPrefix(name, "hang") || isRewritten(name) {
			continue
		}
		now.Store(&faults[i])
		for _, what := range []string{"save", "restore"} {
			action.Store(what)
			got, err := e.Sample(t.Context(), request)
			if err != nil || len(got.Samples) != 4 || got.PromptTokens > got.CachedTokens+got.ComputedTokens {
				t.Errorf("%s of a %s: %+v, %v", faults[i].name, what, got, err)
			}
		}
	}
}

// sampleOf is a request that the conformance suite sends, so that recordings know it.
func sampleOf(t *testing.T, e *remote.Engine) sparkd.SampleRequest {
	t.Helper()
	text := "Once upon a time there was a little house at the edge of the forest, and in it lived"
	ids, err := e.Tokenize(t.Context(), text, false)
	if err != nil {
		t.Fatal(err)
	}
	if about := e.Describe(); about.AddBOS {
		ids = append([]sparkd.Token{about.BOS}, ids...)
	}
	return sparkd.SampleRequest{Prefix: ids, K: 1, Seeds: []uint64{11}, Tree: "x",
		Sampling: sparkd.Sampling{Temperature: 1, MaxTokens: 12}}
}
