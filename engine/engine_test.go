package engine

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd/engine/remote"
	"sparkd/internal/settings"
)

// An address is that of the server, whether it ends in /v1, as OpenAI's clients want it, or not.
func TestAddresses(t *testing.T) {
	for _, end := range []string{"", "/", "/v1", "/v1/"} {
		var mu sync.Mutex
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.URL.Path)
			http.NotFound(w, r)
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		o := settings.Default[Options]()
		o.Replicas = []string{server.URL + end}
		if p, err := Open(ctx, o); err == nil {
			t.Errorf("%q: a server that knows no route was taken", end)
			p.Close()
		}
		cancel()
		server.Close()
		if !slices.Contains(asked, "/props") ||
			slices.ContainsFunc(asked, func(path string) bool { return strings.HasPrefix(path, "/v1/v1") }) {
			t.Errorf("%q: asked at %q", end, asked)
		}
	}
}

func TestDetect(t *testing.T) {
	for want, routes := range map[string]map[string]string{
		"vllm":     {"/version": `{"version": "0.32.0"}`},
		"ollama":   {"/api/version": `{"version": "0.33.0"}`},
		"sglang":   {"/get_model_info": `{"model_path": "x"}`},
		"llamacpp": {"/props": `{"total_slots": 4, "build_info": "b1-x"}`, "/api/version": `{"version": "0"}`},
		"generic":  {"/version": `hello`},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if text, ok := routes[r.URL.Path]; ok {
				_, _ = w.Write([]byte(text))
				return
			}
			http.NotFound(w, r)
		}))
		got, err := detect(t.Context(), remote.Options{URL: server.URL})
		server.Close()
		if got != want || err != nil {
			t.Errorf("%s is taken for %q, %v", want, got, err)
		}
	}
}
