package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
	"sparkd/internal/settings"
)

// scripted is a client of a server that answers the n-th request with the n-th
// handler, and later ones with the last.
func scripted(t *testing.T, handlers ...http.HandlerFunc) *Client {
	t.Helper()
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		handlers[min(requests, len(handlers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c
}

// breakOff cuts the connection behind what was written.
func breakOff(w http.ResponseWriter) {
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestAddresses(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8787": "http://127.0.0.1:8787", "trainer": "http://trainer:8787",
		"localhost": "http://localhost:8787",
		"127.0.0.1": "http://127.0.0.1:8787", ":8787": "http://127.0.0.1:8787", ":80/": "http://127.0.0.1:80",
		"https://sparkd.example/": "https://sparkd.example", "http://trainer": "http://trainer",
		"http://127.0.0.1:8787/": "http://127.0.0.1:8787", "HTTP://trainer:1": "http://trainer:1",
		"[::1]:80": "http://[::1]:80", "::1": "http://[::1]:8787", "[::1]": "http://[::1]:8787",
		"http://[::1]": "http://[::1]", "fe80::1%eth0": "http://[fe80::1%25eth0]:8787",
		"[fe80::1%eth0]:80": "http://[fe80::1%25eth0]:80",
		"0.0.0.0:8787":      "http://127.0.0.1:8787",
		"[::]:8787":         "http://[::1]:8787", "http://0.0.0.0": "http://127.0.0.1",
		"http://x/v1": "http://x", "http://x/v1/": "http://x", "https://x:1/a/b/": "https://x:1/a/b",
		"x/a": "http://x:8787/a", "x:1/a/v1": "http://x:1/a",
		"": "", "ftp://x": "", "http://": "", "a b": "", "x:y:z": "", "::::": "", "x:0": "", "x:65536": "",
		"x:-1":         "",
		"http://x?a=b": "", "x#a": "", "http://me:secret@x": "", "me@x": "", "unix:///run/sparkd": "", "://x": "",
		"[::1": "", "http:x": "", " x": "",
	} {
		c, err := New(addr, "")
		if want == "" {
			if e := sparkd.AsError(err); err == nil || e.Field != "addr" || !strings.Contains(e.Remedy, "host:port") {
				t.Errorf("%q: %+v %v", addr, c, err)
			}
		} else if err != nil || c.base != want {
			t.Errorf("%q: %+v %v", addr, c, err)
		}
	}
	if _, port, err := net.SplitHostPort(settings.Default[api.Options]().Listen); err != nil || port != defaultPort {
		t.Errorf("api.listen has port %s, %v", port, err)
	}
}

// A client below a prefix asks below it, and a refusal says what the client lacks, not HTTP.
func TestRefusals(t *testing.T) {
	for code, want := range map[string]string{
		"unauthorized": "api.token: the daemon at %s/sub wants a token (name the file that holds it with ",
		"forbidden":    "addr: the daemon at %s/sub has no token, ",
	} {
		asked := ""
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Path
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"code":%q,"message":"send the header","field":"Authorization"}`, code)
		}))
		defer s.Close()
		c, err := New(s.URL+"/sub/", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Info(t.Context())
		if want := fmt.Sprintf(want, s.Listener.Addr()); err == nil || !strings.HasPrefix(err.Error(), want) ||
			asked != "/sub/v1/info" {
			t.Errorf("%v of %s, want %s", err, asked, want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	c, err := New("sparkd.invalid:8787", "") // no such name, RFC 2606
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Info(t.Context())
	if sparkd.CodeOf(err) != sparkd.CodeUnavailable ||
		!strings.HasPrefix(err.Error(), "cannot reach sparkd.invalid:8787: ") {
		t.Errorf("%v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close() // nothing listens here now
	c, err := New(addr, "")
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Hour // a retry would not end
	_, infoErr := c.Info(t.Context())
	_, exportErr := c.Export(t.Context(), io.Discard, ExportOptions{})
	eventsErr := c.Events(t.Context(), "", "", nil)
	want := "no daemon at " + addr + " (start one with sparkd serve)"
	for _, err := range []error{infoErr, exportErr, eventsErr} {
		if err == nil || err.Error() != want || sparkd.CodeOf(err) != sparkd.CodeUnavailable {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestErrorsComeBack(t *testing.T) {
	c := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(429)
		fmt.Fprint(w, `{"code":"queue_full","message":"full","field":"f","remedy":"wait"}`)
	})
	_, _, err := c.Submit(t.Context(), branching.DefaultSpec())
	full := sparkd.Error{Code: sparkd.CodeQueueFull, Message: "full", Field: "f", Remedy: "wait"}
	if e := sparkd.AsError(err); *e != full {
		t.Errorf("%#v", e)
	}
	for _, body := range []string{"<html>", `{"message":"from elsewhere"}`, ""} {
		c = scripted(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			fmt.Fprint(w, body)
		})
		_, err := c.Info(t.Context())
		if sparkd.CodeOf(err) != sparkd.CodeUnavailable || !strings.Contains(err.Error(), "502 Bad Gateway") {
			t.Errorf("%q: %v", body, err)
		}
	}
	c = scripted(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":`) })
	if _, err := c.Info(t.Context()); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("a cut answer: %v", err)
	}
}

func TestDeadlines(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	c := scripted(t, hang)
	c.timeout = 10 * time.Millisecond
	if _, err := c.Info(t.Context()); sparkd.CodeOf(err) != sparkd.CodeDeadline {
		t.Errorf("its own: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Events(ctx, "", "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller's: %v", err)
	}
}

func event(seq int) string {
	return fmt.Sprintf("id: %d\nevent: round\ndata: {\"seq\":%d,\"kind\":\"round\"}\n\n", seq, seq)
}

// Whatever happens to the connections, every event comes once and in order.
func TestEventsResume(t *testing.T) {
	var asked []string
	note := func(r *http.Request) { asked = append(asked, r.Header.Get("Last-Event-ID")) }
	c := scripted(t,
		func(w http.ResponseWriter, r *http.Request) {
			note(r)
			fmt.Fprint(w, ": ping\n\n"+event(5)+event(6)+"id: 7\nevent: round\nda") // cut in the middle
			breakOff(w)
		},
		func(w http.ResponseWriter, r *http.Request) { note(r); w.WriteHeader(503) },
		func(w http.ResponseWriter, r *http.Request) { // ends properly
			note(r)
			fmt.Fprint(w, "retry: 1000\n\n"+event(7)+": shutting down\n\n")
		},
		func(w http.ResponseWriter, r *http.Request) { // falls silent
			note(r)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		func(w http.ResponseWriter, r *http.Request) { note(r); fmt.Fprint(w, event(8)+event(9)) },
	)
	c.silence = 50 * time.Millisecond
	var got []uint64
	err := c.Events(t.Context(), "4", "a", func(e sparkd.Event) error {
		if got = append(got, e.Seq); e.Seq == 8 {
			return ErrStop
		}
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[5 6 7 8]" || fmt.Sprint(asked) != "[4 6 6 7 7]" {
		t.Errorf("%v: events %v, asked behind %v", err, got, asked)
	}
}

func TestEventsEnd(t *testing.T) {
	c := scripted(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, event(1)) })
	own := errors.New("own")
	if err := c.Events(t.Context(), "", "", func(sparkd.Event) error { return own }); !errors.Is(err, own) {
		t.Errorf("the caller's error: %v", err)
	}
	c = scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "event: error\ndata: {\"code\":\"store\",\"message\":\"no\"}\n\n")
	})
	if err := c.Events(t.Context(), "", "", nil); sparkd.CodeOf(err) != sparkd.CodeStore {
		t.Errorf("the daemon's error: %v", err)
	}
	requests := 0
	c = scripted(t, func(http.ResponseWriter, *http.Request) { requests++ })
	if err := c.Events(t.Context(), "", "", nil); sparkd.CodeOf(err) != sparkd.CodeUnavailable || requests != attempts {
		t.Errorf("nothing new, again and again: %v after %d requests", err, requests)
	}
}

// Whatever happens to the connections, every line comes once and whole.
func TestExportResumes(t *testing.T) {
	var asked []string
	note := func(r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after")+"/"+r.URL.Query().Get("limit"))
	}
	c := scripted(t,
		func(w http.ResponseWriter, r *http.Request) {
			note(r)
			fmt.Fprint(w, "1\n2\n"+`{"cursor":"b","trees":2,"manifest":{"format":"rows","lines":2}}`+"\n3\n{\"cur")
			breakOff(w)
		},
		func(w http.ResponseWriter, r *http.Request) { note(r); fmt.Fprint(w, "3\n") }, // ends without its end line
		func(w http.ResponseWriter, r *http.Request) {
			note(r)
			fmt.Fprint(w, "3\n"+`{"cursor":"c","trees":1,"end":true,"manifest":{"format":"rows","lines":1}}`+"\n")
		},
	)
	var out bytes.Buffer
	done, err := c.Export(t.Context(), &out, ExportOptions{After: "a", Limit: 5})
	if err != nil || done.Cursor != "c" || out.String() != "1\n2\n3\n" || fmt.Sprint(asked) != "[a/5 b/3 b/3]" {
		t.Errorf("%v: cursor %q, lines %q, asked %v", err, done.Cursor, out.String(), asked)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(out.Bytes()))
	if m := done.Manifest; m.Lines != 3 || m.Format != "rows" || m.SHA256 != sum {
		t.Errorf("the manifest of both answers: %+v", m)
	}
}

func TestExportEnds(t *testing.T) {
	c := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "1\n"+`{"cursor":"a","trees":1}`+"\n2\n"+
			`{"cursor":"","trees":0,"error":{"code":"damaged","message":"no"}}`+"\n")
		breakOff(w)
	})
	var out bytes.Buffer
	done, err := c.Export(t.Context(), &out, ExportOptions{})
	if sparkd.CodeOf(err) != sparkd.CodeDamaged || done.Cursor != "a" || out.String() != "1\n" {
		t.Errorf("the daemon's error: %v, cursor %q, lines %q", err, done.Cursor, out.String())
	}
	_, err = c.Export(t.Context(), full{}, ExportOptions{})
	if sparkd.CodeOf(err) != sparkd.CodeStore || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("the writer's error: %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }
