package engine_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"sparkd"
	"sparkd/internal/httpclient"
)

// A server that was started anew is noticed once, and the first sample after it expects nothing to be cached.
func TestProbeNoticesARestart(t *testing.T) {
	for name, c := range map[string]struct {
		tape, path string
		anew       func(string) string
	}{
		"vllm": {"vllm/*", "/metrics", sub(`(?m)^process_start_time_seconds .*`, "process_start_time_seconds 2e9")},
		"llamacpp": {"llamaserver/llamacpp-*-kvu", "/props",
			sub(`"media_marker":"[^"]*"`, `"media_marker":"<another>"`)},
	} {
		t.Run(name, func(t *testing.T) {
			var restarted, gone atomic.Bool
			tape := taped(c.tape)(t)
			e := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				whole := httptest.NewRecorder()
				tape.ServeHTTP(whole, r)
				body := bytes.Clone(whole.Body.Bytes())
				if restarted.Load() && r.URL.Path == c.path {
					body = []byte(c.anew(string(body)))
				}
				if gone.Load() {
					whole.Code = http.StatusServiceUnavailable
				}
				w.WriteHeader(whole.Code)
				_, _ = w.Write(body)
			}))
			if err := e.Probe(t.Context()); err != nil {
				t.Errorf("the same server: %v", err)
			}
			r := sampleOf(t, e)
			for range 2 {
				if _, err := e.Sample(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			restarted.Store(true)
			if err := e.Probe(t.Context()); !errors.Is(err, httpclient.ErrRestarted) ||
				sparkd.CodeOf(err) != sparkd.CodeUnavailable {
				t.Errorf("after a restart: %v", err)
			}
			if err := e.Probe(t.Context()); err != nil {
				t.Errorf("and then: %v", err)
			}
			if got, err := e.Sample(t.Context(), r); err != nil || got.ExpectedTokens != 0 {
				t.Errorf("expected %d cached tokens after a restart, %v", got.ExpectedTokens, err)
			}
			gone.Store(true)
			if err := e.Probe(t.Context()); !httpclient.IsPassing(err) || errors.Is(err, httpclient.ErrRestarted) {
				t.Errorf("a server that is busy: %v", err)
			}
		})
	}
}
