package httpclient

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sparkd"
)

func client(t *testing.T, o Options, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.URL = server.URL + o.URL
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestJSON(t *testing.T) {
	c := client(t, Options{URL: "/base/", Token: "secret"}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/base/x" || r.Header.Get("Authorization") != "Bearer secret" ||
			r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		_, _ = w.Write([]byte(`{"a": 7}`))
	})
	var out struct{ A int }
	if err := c.JSON(t.Context(), http.MethodPost, "/x", map[string]int{"b": 1}, &out); err != nil || out.A != 7 {
		t.Errorf("%+v, %v", out, err)
	}
	if err := c.JSON(t.Context(), http.MethodPost, "/x", make(chan int),
		&out); sparkd.CodeOf(err) != sparkd.CodeInternal {
		t.Errorf("what is no JSON: %v", err)
	}
}

func TestStatuses(t *testing.T) {
	for _, tt := range []struct {
		status  int
		code    sparkd.Code
		passing bool
	}{
		{400, sparkd.CodeInvalid, false}, {401, sparkd.CodeEngine, false}, {403, sparkd.CodeEngine, false},
		{404, sparkd.CodeEngine, false},
		{408, sparkd.CodeUnavailable, true}, {413, sparkd.CodeInvalid, false}, {418, sparkd.CodeEngine, false},
		{422, sparkd.CodeInvalid, false},
		{425, sparkd.CodeUnavailable, true}, {429, sparkd.CodeUnavailable, true}, {500, sparkd.CodeEngine, false},
		{501, sparkd.CodeEngine, false},
		{502, sparkd.CodeUnavailable, true}, {503, sparkd.CodeUnavailable, true}, {504, sparkd.CodeUnavailable, true},
		{301, sparkd.CodeEngine, false},
	} {
		c := client(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(`{"error": {"message": "why", "type": "kind", "param": "field"}}`))
		})
		_, err := c.Bytes(t.Context(), http.MethodGet, "/", nil)
		var s *Status
		if sparkd.CodeOf(err) != tt.code || IsPassing(err) != tt.passing || !errors.As(err, &s) ||
			*s != (Status{tt.status, "kind", "field", "why"}) {
			t.Errorf("%d: %v, %+v", tt.status, err, s)
		}
		var r *Retry
		if errors.As(err, &r) && r.After != 2*time.Second {
			t.Errorf("%d: again after %v", tt.status, r.After)
		}
	}
}

func TestReadStatus(t *testing.T) {
	for body, want := range map[string]Status{
		`{"error": {"message": "m", "type": "t", "param": null, "code": 400}}`: {Message: "m", Kind: "t"},
		`{"error": "text"}`: {Message: "text"},
		`{"object": "error", "message": "m", "type": "t", "param": "p"}`: {Message: "m", Kind: "t", Param: "p"},
		`{"detail": "Not Found"}`:         {Message: "Not Found"},
		`{"detail": [{"loc": ["body"]}]}`: {Message: `{"detail": [{"loc": ["body"]}]}`},
		"<html>":                          {Message: "<html>"},
		"":                                {Message: "(nothing)"},
		"[1]":                             {Message: "[1]"},
		`{"error": {"message": "` + strings.Repeat("ü", 400) + `"}}`: {Message: strings.Repeat("ü", 300) + "…"},
	} {
		want.Code = 400
		if got := readStatus(400, []byte(body)); *got != want {
			t.Errorf("%s: %+v, want %+v", body, *got, want)
		}
	}
}

// An answer is an error where it says so, or has nothing but the words of one.
func TestSaid(t *testing.T) {
	for body, code := range map[string]int{
		`{"error": null, "a": 1}`: -1, `{"error": [], "a": 1}`: -1, `{"error": "", "detail": "x", "a": 1}`: -1,
		`{"success": false, "message": "m"}`: -1, `{"tokens": [1]}`: -1, `[]`: -1, `[1]`: -1, "": -1, "# HELP x": -1,
		"data: [DONE]": -1,

		`{"error": "m"}`: 0, `{"message": "m"}`: 0,
		`{"error": {"message": "m", "code": "429"}}`:             429,
		`[{"error": {"message": "m", "type": "NotFoundError"}}]`: 404,
	} {
		got := -1
		if s := said([]byte(body)); s != nil {
			got = s.Code
		}
		if got != code {
			t.Errorf("%s: %d, want %d", body, got, code)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 1.5 ": 1500 * time.Millisecond, "-4": 0, "soon": 0, "NaN": 0, "Inf": time.Hour,
		"99999999999":                   time.Hour,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestLimits(t *testing.T) {
	c := client(t, Options{MaxBody: 4, Timeout: 50 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return
		}
		_, _ = w.Write([]byte(strings.Repeat("x", len(r.URL.Path))))
	})
	if body, err := c.Bytes(t.Context(), http.MethodGet, "/abc", nil); string(body) != "xxxx" || err != nil {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := c.Bytes(t.Context(), http.MethodGet, "/abcd", nil); sparkd.CodeOf(err) != sparkd.CodeEngine {
		t.Errorf("too large: %v", err)
	}
	if _, err := c.Bytes(t.Context(), http.MethodGet, "/hang", nil); sparkd.CodeOf(err) != sparkd.CodeUnavailable ||
		!IsPassing(err) {
		t.Errorf("no answer in time: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Bytes(ctx, http.MethodGet, "/abc", nil); sparkd.CodeOf(err) != sparkd.CodeCanceled ||
		IsPassing(err) {
		t.Errorf("canceled: %v", err)
	}
}

func TestHas(t *testing.T) {
	c := client(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/json":
			_, _ = w.Write([]byte(`{"a": 1}`))
		case "/text":
			_, _ = w.Write([]byte("hello"))
		case "/busy":
			w.WriteHeader(503)
		default:
			http.NotFound(w, r)
		}
	})
	for path, want := range map[string]bool{"/json": true, "/text": false, "/none": false} {
		var out struct{ A int }
		if got, err := c.Has(t.Context(), path, &out); got != want || err != nil || want && out.A != 1 {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if _, err := c.Has(t.Context(), "/busy", nil); !IsPassing(err) {
		t.Errorf("a server that is starting: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	for field, o := range map[string]Options{
		"engine.replicas": {URL: "ftp://x"}, "engine.api_key_file": {URL: "http://x", Token: "a\nb"},
	} {
		if _, err := New(o); sparkd.AsError(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"error": {"message": ["a"], "param": 7}}`), "3")
	f.Add([]byte(`{"error": null, "detail": {}}`), "Fri, 02 Jan 2026 03:04:35 GMT")
	f.Fuzz(func(t *testing.T, body []byte, after string) {
		if s := readStatus(500, body); s.Message == "" || len([]rune(s.Message)) > 301 {
			t.Fatalf("%q: %+v", body, s)
		}
		if d := retryAfter(after, time.Unix(0, 0)); d < 0 || d > time.Hour {
			t.Fatalf("%q: %v", after, d)
		}
	})
}
