package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sparkd/api"
)

// raw sends bytes, and nothing behind them, and returns all that comes back.
func raw(t *testing.T, addr, send string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("%v behind %q", err, answer)
	}
	return string(answer)
}

// What two servers could read in two ways, a proxy and this one, is refused, and nothing behind it is read.
func TestAmbiguousRequests(t *testing.T) {
	addr := overTCP(t, newFake(), api.Options{})
	const second = "GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	const chunks = "2\r\n{}\r\n0\r\n\r\n"
	post := func(headers, body string) string {
		return "POST /v1/rollouts HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
	}
	get := func(head string) string { return head + "\r\n\r\n" }
	for name, send := range map[string]string{
		"length and chunks":         post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", chunks),
		"chunks and length":         post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunks),
		"length, chunks, no chunks": post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "{}"),
		"length and identity":       post("Content-Length: 2\r\nTransfer-Encoding: identity\r\n", "{}"),
		"identity":                  post("Transfer-Encoding: identity\r\n", "{}"),
		"chunked twice":             post("Transfer-Encoding: chunked, chunked\r\n", chunks),
		"two transfer encodings": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
			chunks),
		"xchunked":            post("Transfer-Encoding: xchunked\r\n", chunks),
		"chunked, 1.0":        "POST /v1/rollouts HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"two lengths":         post("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
		"two other lengths":   post("Content-Length: 2\r\nContent-Length: 3\r\n", "{} "),
		"a list of lengths":   post("Content-Length: 2, 2\r\n", "{}"),
		"a signed length":     post("Content-Length: +2\r\n", "{}"),
		"a length in hex":     post("Content-Length: 0x2\r\n", "{}"),
		"an empty length":     post("Content-Length: \r\n", "{}"),
		"space before colon":  post("Content-Length : 2\r\n", "{}"),
		"folded header":       post("Content-Length: 2\r\nX: a\r\n b\r\n", "{}"),
		"folded length":       post("Content-Length:\r\n 2\r\n", "{}"),
		"folded at first":     post(" X: a\r\nContent-Length: 2\r\n", "{}"),
		"tab at first":        post("X: a\r\n\tTransfer-Encoding: chunked\r\n", chunks),
		"bare CR in a value":  post("X: a\rContent-Length: 2\r\n", "{}"),
		"bare LF in headers":  post("X: a\nContent-Length: 2\r\n", "{}"),
		"NUL in a value":      post("X: a\x00b\r\n", ""),
		"no colon":            post("Content-Length 2\r\n", "{}"),
		"no name":             post(": 2\r\n", "{}"),
		"chunk size 0x":       post("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
		"chunk size signed":   post("Transfer-Encoding: chunked\r\n", "+2\r\n{}\r\n0\r\n\r\n"),
		"chunk size huge":     post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
		"chunk without CRLF":  post("Transfer-Encoding: chunked\r\n", "2\r\n{}0\r\n\r\n"),
		"chunk with bare LF":  post("Transfer-Encoding: chunked\r\n", "2\n{}\n0\n\n"),
		"LF in an extension":  post("Transfer-Encoding: chunked\r\n", "2;a\nb\r\n{}\r\n0\r\n\r\n"),
		"no host":             get("GET /v1/info HTTP/1.1"),
		"two hosts":           get("GET /v1/info HTTP/1.1\r\nHost: localhost\r\nHost: localhost"),
		"user in the host":    get("GET /v1/info HTTP/1.1\r\nHost: evil@localhost"),
		"path in the host":    get("GET /v1/info HTTP/1.1\r\nHost: localhost/x"),
		"space in the target": get("GET /v1/info x HTTP/1.1\r\nHost: localhost"),
		"no version":          get("GET /v1/info\r\nHost: localhost"),
		"another version":     get("GET /v1/info HTTP/2.0\r\nHost: localhost"),
	} {
		t.Run(name, func(t *testing.T) {
			answer := raw(t, addr, send+second)
			if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "Connection: close\r\n") ||
				strings.Contains(answer, "smuggled") {
				t.Errorf("%q", answer)
			}
		})
	}
}

// What is unusual and clear is served.
func TestUnusualRequests(t *testing.T) {
	addr := overTCP(t, newFake(), api.Options{})
	const host = " HTTP/1.1\r\nHost: localhost\r\n"
	for name, test := range map[string]struct{ send, want string }{
		"absolute form":      {"GET http://localhost:8787/v1/info" + host + "\r\n", "HTTP/1.1 200 "},
		"of another host":    {"GET http://evil.example/v1/info" + host + "\r\n", "HTTP/1.1 403 "},
		"HTTP/1.0":           {"GET /v1/info HTTP/1.0\r\n\r\n", "HTTP/1.1 200 "},
		"URL in a parameter": {"GET /v1/export?rollout=http://a" + host + "\r\n", "HTTP/1.1 200 "},
		"chunk extension": {"POST /v1/rollouts" + host + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
			"HTTP/1.1 202 "},
		"expect": {"POST /v1/rollouts" + host + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 20"},
		"two in one": {"GET /healthz" + host + "\r\nGET /readyz" + host + "\r\n", "{\"status\":\"ok\"}\nHTTP/1.1 200 "},
	} {
		t.Run(name, func(t *testing.T) {
			if answer := raw(t, addr, test.send); !strings.Contains(answer, test.want) {
				t.Errorf("%q", answer)
			}
		})
	}
}

// Paths mean what they say: nothing is cleaned up or decoded into another route.
func TestPathsAreLiteral(t *testing.T) {
	f := newFake()
	withRollout(f)
	addr := overTCP(t, f, api.Options{})
	for path, status := range map[string]int{
		"/v1/info": 200, "/v1/rollouts/night-1": 200, "/v1/rollouts/night%2D1": 200, "/v1/info?": 200,
		"//v1/info": 404, "/v1//info": 404, "/v1/info/": 404, "/v1/rollouts/../info": 404, "/v1/./info": 404,
		"/v1/rollouts/%2e%2e/info": 404, "/v1/rollouts/..%2finfo": 404, "/v1%2Finfo": 404, "/v1/inf%6F": 404,
		"/v1/rollouts/night-1/": 404, "/v1/rollouts//night-1": 404, "/v1/rollouts/x/../night-1": 404,
		"/v1/rollouts/night-1%2f": 404, "/v1/rollouts/%zz": 404, "/v1/rollouts/night%252D1": 404, "/V1/info": 404,
		"/v1/info;x": 404, "/v1/rollouts/..": 404, "/": 404, "*": 404, `/v1\info`: 404,
	} {
		answer := raw(t, addr, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", status)) {
			t.Errorf("%s: %.80q, want %d", path, answer, status)
		}
	}
}

func packed(t *testing.T, coding, body string) string {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zstd":
		var err error
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A packed body is unpacked within the bound of one that is not; what cannot be unpacked is refused with the words.
func TestPackedBodies(t *testing.T) {
	s := serve(t, newFake(), api.Options{MaxBody: 4096})
	const spec = `{"id": "packed"}`
	large := spec + strings.Repeat(" ", 1<<20)
	for name, test := range map[string]struct {
		coding, body string
		status       int
		says         string
	}{
		"gzip":          {"gzip", packed(t, "gzip", spec), 202, `"id":"packed"`},
		"in capitals":   {"X-GZIP", packed(t, "gzip", spec), 202, `"id":"packed"`},
		"zstd":          {"zstd", packed(t, "zstd", spec), 202, `"id":"packed"`},
		"identity":      {"identity", spec, 202, `"id":"packed"`},
		"twice":         {"gzip, zstd", packed(t, "zstd", packed(t, "gzip", spec)), 202, `"id":"packed"`},
		"gzip bomb":     {"gzip", packed(t, "gzip", large), 413, `"too_large"`},
		"zstd bomb":     {"zstd", packed(t, "zstd", large), 413, `"too_large"`},
		"not gzip":      {"gzip", spec, 400, `"field":"Content-Encoding"`},
		"cut":           {"gzip", packed(t, "gzip", spec)[:20], 400, `"field":"Content-Encoding"`},
		"cut zstd":      {"zstd", packed(t, "zstd", spec)[:12], 400, `"field":"Content-Encoding"`},
		"brotli":        {"br", spec, 415, "gzip, zstd"},
		"many codings":  {strings.Repeat("gzip,", 20) + "gzip", spec, 415, "gzip, zstd"},
		"without words": {"", packed(t, "gzip", spec), 400, "Content-Encoding: gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := s.do("POST", "/v1/rollouts", test.body, "Content-Encoding", test.coding)
			got := text(t, resp)
			if resp.StatusCode != test.status && !(test.status == 202 && resp.StatusCode == 200) ||
				!strings.Contains(got, test.says) {
				t.Errorf("%s %s", resp.Status, got)
			}
			if test.status == 415 && resp.Header.Get("Accept-Encoding") != "gzip, zstd" {
				t.Errorf("%v", resp.Header)
			}
		})
	}
}

// A client that speaks HTTP/1.0 is not sent chunks: a stream ends with the connection.
func TestStreamsOverHTTP10(t *testing.T) {
	f := newFake()
	f.addTrees("a", 3)
	f.publish("a", 1)
	addr := overTCP(t, f, api.Options{Streams: 1})
	for range 2 { // what a stream held is given back
		for _, more := range []string{"", "Connection: keep-alive\r\n"} {
			const get = "GET /v1/export?format=tree&manifest=true HTTP/1.0\r\nX-Request-Id: old\r\n"
			answer := raw(t, addr, get+more+"\r\n")
			head, body, _ := strings.Cut(answer, "\r\n\r\n")
			if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || strings.Contains(head, "chunked") ||
				!strings.Contains(head, "Connection: close") || !strings.Contains(head, "X-Request-Id: old") ||
				!strings.HasPrefix(body, `{"tree":"tree-1"`) || strings.Count(body, "\n") != 4 {
				t.Errorf("%q", answer)
			}
		}
	}
	if f.ended() != 4 {
		t.Errorf("%d iterators ended", f.ended())
	}
	s := serve(t, f, api.Options{})
	c, r := s.dial("GET /v1/events HTTP/1.0\r\n\r\n")
	defer c.Close()
	for line := ""; line != "id: 1\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil || strings.Contains(line, "chunked") {
			t.Fatalf("%q, %v", line, err)
		}
	}
}

// An answer without chunks that fails is cut by a reset, so that it is not taken for whole.
func TestFailedStreamOverHTTP10(t *testing.T) {
	f := newFake()
	f.addTrees("a", 3)
	f.fail("Completed3", errors.New("damaged"))
	c, err := net.Dial("tcp", overTCP(t, f, api.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /v1/export?format=tree HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if answer, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v behind %q", err, answer)
	}
}
