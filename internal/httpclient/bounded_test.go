package httpclient

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The token goes to its server alone, and no answer is read beyond the limit.
func TestBounded(t *testing.T) {
	seen := map[string]string{}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen["other"] = r.Header.Get("Authorization")
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.URL.Path] = r.Header.Get("Authorization")
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		default:
			_, _ = io.WriteString(w, strings.Repeat("x", len(r.URL.Path)))
		}
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: Bounded(u.Host, "secret", 4, nil)}
	defer c.CloseIdleConnections()
	for path, want := range map[string]error{"/abc": nil, "/abcd": ErrTooLarge, "/away": nil} {
		answer, err := c.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if !errors.Is(err, want) || want == nil && path == "/abc" && len(text) != 4 {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if seen["/abc"] != "Bearer secret" || seen["other"] != "" {
		t.Errorf("tokens seen: %v", seen)
	}
}
