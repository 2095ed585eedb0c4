package api_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

// TestNegotiation: what is answered to which Accept-Encoding.
func TestNegotiation(t *testing.T) {
	f := newFake()
	withTrees(f, 3)
	s := serve(t, f, api.Options{})
	for _, c := range []struct{ accept, export, health, events string }{ // health is a small answer
		{"", "", "", ""},
		{"gzip", "gzip", "", ""},
		{"zstd", "zstd", "", ""},
		{"gzip, zstd", "zstd", "", ""},
		{"gzip, deflate, br, zstd", "zstd", "", ""},
		{"br, deflate", "", "", ""},
		{"x-gzip", "gzip", "", ""},
		{"GZIP;Q=0.5", "gzip", "", ""},
		{"gzip;q=1.0, zstd;q=0.5", "gzip", "", ""},
		{"gzip;q=0", "", "", ""},
		{"gzip;q=0, *", "zstd", "", ""},
		{"*;q=0, gzip", "gzip", "gzip", "gzip"},
		{"identity;q=0, gzip;q=0.001", "gzip", "gzip", "gzip"},
		{"identity, gzip;q=0.5", "", "", ""},
		{"gzip ; q=0.8 , zstd ; q=0.2", "gzip", "", ""},
		{"identity;q=0", "406", "406", "406"},
		{"*;q=0", "406", "406", "406"},
		{"br, identity;q=0", "406", "406", "406"},
		{"gzip;q=nonsense", "", "", ""},
		{"gzip;q=2", "", "", ""},
		{",, gzip,", "gzip", "", ""},
	} {
		for target, want := range map[string]string{
			"/v1/export?format=rows": c.export, "/v1/trees/tree-1": c.export, "/openapi.json": c.export,
			"/healthz": c.health, "/v1/events?stream=true": c.events,
		} {
			for _, method := range []string{"GET", "HEAD"} {
				streams := strings.Contains(target, "export") || strings.Contains(target, "events")
				if method == "HEAD" && streams {
					continue
				}
				resp := s.do(method, target, "", "Accept-Encoding", c.accept)
				got := resp.Header.Get("Content-Encoding")
				if resp.StatusCode != http.StatusOK {
					got = fmt.Sprint(resp.StatusCode)
				}
				if got != want || resp.Header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%s %s, Accept-Encoding %q: %q, want %q; Vary %q",
						method, target, c.accept, got, want, resp.Header.Get("Vary"))
				}
				resp.Body.Close()
			}
		}
	}
}

// withTrees gives a backend finished trees with long texts.
func withTrees(f *fake, n int) {
	f.addTrees("a", n)
	for i := range f.entries {
		f.entries[i].Tree.Goal = strings.Repeat("put the mug on the shelf\u0085", 100)
	}
}

func unpack(t *testing.T, resp *http.Response) string {
	t.Helper()
	text, err := unpacked(t, resp)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unpacked(t *testing.T, resp *http.Response) (string, error) {
	t.Helper()
	defer resp.Body.Close()
	var r io.Reader = resp.Body
	var err error
	switch resp.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(resp.Body)
	case "zstd":
		r, err = zstd.NewReader(resp.Body)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

// TestPackedAnswersAreTheSame: what is compressed is what is sent without, and less; a range is not taken.
func TestPackedAnswersAreTheSame(t *testing.T) {
	f := newFake()
	withTrees(f, 40)
	s := serve(t, f, api.Options{})
	for _, target := range []string{"/v1/export?format=tree&cursors=true&manifest=true", "/v1/trees/tree-7",
		"/openapi.json", "/v1/rollouts/none"} {
		plain := s.do("GET", target, "", "Accept-Encoding", "identity", "Range", "bytes=0-9")
		want := unpack(t, plain)
		if strings.Contains(want, "\u0085") {
			t.Errorf("%s: a line ends inside a text", target)
		}
		for _, coding := range []string{"gzip", "zstd"} {
			resp := s.do("GET", target, "", "Accept-Encoding", coding, "Range", "bytes=0-9")
			n := resp.ContentLength
			if got := unpack(t, resp); got != want || resp.StatusCode != plain.StatusCode {
				t.Errorf("%s %s: %d bytes, want %d", target, coding, len(got), len(want))
			}
			head := s.do("HEAD", target, "", "Accept-Encoding", coding)
			if head.StatusCode == http.StatusOK && (head.ContentLength != n || n >= int64(len(want))) {
				t.Errorf("%s %s: HEAD tells a length of %d, GET has %d of %d",
					target, coding, head.ContentLength, n, len(want))
			}
		}
	}
}

// TestPackedExportIsStreamed: what was written can be read although the export broke, and it has no end then.
func TestPackedExportIsStreamed(t *testing.T) {
	for _, coding := range []string{"gzip", "zstd"} {
		f := newFake()
		withTrees(f, 40)
		f.fail("Completed36", &sparkd.Error{Code: sparkd.CodeDamaged, Message: "tree-36 is damaged"})
		s := serve(t, f, api.Options{})
		resp := s.do("GET", "/v1/export?format=tree&cursors=true", "", "Accept-Encoding", coding)
		b, err := unpacked(t, resp)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: an export that broke ends with %v", coding, err)
		}
		if n := strings.Count(b, "\n"); n != 39 || !strings.Contains(b, `"error":{"code":"damaged"`) {
			t.Errorf("%s: %d lines came before the end", coding, n)
		}
	}
}

// TestClientUnpacks: the client asks for codings and reads each, whole or cut, and refuses one that it did not ask for.
func TestClientUnpacks(t *testing.T) {
	f := newFake()
	withTrees(f, 20)
	addr := overTCP(t, f, api.Options{})
	asked, force := "", ""
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Encoding")
		if r.URL.Path == "/v1/rollouts/odd" {
			w.Header().Set("Content-Encoding", "br")
			return
		}
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: addr})
			if force != "" {
				p.Out.Header.Set("Accept-Encoding", force)
			}
		}}).ServeHTTP(w, r)
	}))
	defer proxy.Close()
	c, err := client.New(proxy.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	var packed, plain bytes.Buffer
	if _, err := c.Export(t.Context(), &packed, client.ExportOptions{}); err != nil || asked != "zstd, gzip" {
		t.Errorf("Export: %v, asked for %q", err, asked)
	}
	if _, err := c.Uncompressed().Export(t.Context(), &plain, client.ExportOptions{}); err != nil || asked != "" {
		t.Errorf("Export: %v, asked for %q", err, asked)
	}
	if !bytes.Equal(packed.Bytes(), plain.Bytes()) || packed.Len() == 0 {
		t.Errorf("%d bytes packed, %d plain", packed.Len(), plain.Len())
	}
	packed.Reset()
	force = "gzip"
	if _, err := c.Export(t.Context(), &packed, client.ExportOptions{}); err != nil || packed.Len() != plain.Len() {
		t.Errorf("gzip: %d bytes packed, %d plain, %v", packed.Len(), plain.Len(), err)
	}
	if tree, err := c.Tree(t.Context(), "tree-7"); err != nil || tree.Goal != f.entries[6].Tree.Goal {
		t.Errorf("Tree: %+v, %v", tree, err)
	}
	if _, err := c.Rollout(t.Context(), "odd"); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("an unknown coding: %v", err)
	}
}
