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
		if p, err := Open(ctx, Options{Replicas: []string{server.URL + end}}); err == nil {
			t.Errorf("%q: a server that knows no route was taken", end)
			p.Close()
		}
		cancel()
		server.Close()
		if !slices.Contains(asked, "/props") || slices.ContainsFunc(asked, func(path string) bool { return strings.HasPrefix(path, "/v1/v1") }) {
			t.Errorf("%q: asked at %q", end, asked)
		}
	}
}
