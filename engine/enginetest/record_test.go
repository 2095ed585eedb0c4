package enginetest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTape(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/hang":
			<-r.Context().Done()
		case "/missing":
			http.NotFound(w, r)
		case "/binary":
			_, _ = w.Write([]byte{0xff, 1})
		default:
			n++
			_, _ = w.Write([]byte(`{"n":` + strings.Repeat("1", n) + `}`))
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "folder", "tape")
	talk := func(base string, tape http.RoundTripper, slot string) []string {
		client := &http.Client{Transport: tape}
		var said []string
		for _, path := range []string{"/count", "/count", "/count?x=1", "/slots/" + slot + "?action=save", "/missing",
			"/binary"} {
			w, err := client.Post(base+path, "application/json",
				strings.NewReader(`{"b":1,"a":[2],"id_slot":`+slot+`}`))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(w.Body)
			w.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, w.Status[:3]+" "+string(body))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, base+"/hang", nil)
		if _, err := client.Do(r); err == nil || ctx.Err() == nil {
			t.Errorf("a request that was given up: %v", err)
		}
		return said
	}
	recording := Record(file, http.DefaultTransport)
	want := talk(server.URL, recording, "1")
	if err := recording.Save(); err != nil {
		t.Fatal(err)
	}
	tape, err := Replay(file)
	if err != nil {
		t.Fatal(err)
	}
	got := talk("http://elsewhere", tape, "2")
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("replayed %q, recorded %q", got[i], want[i])
		}
	}
	r, _ := http.NewRequest(http.MethodGet, "http://elsewhere/unknown", nil)
	if _, err := tape.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("a request that was not recorded: %v", err)
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(`{"method":"GET","path":"/x","status":200,"json":{"a":1}}`))
	f.Add([]byte(`{"method":"POST","path":"/x","body":{"b":1},"status":200,"binary":"not base64"}` + "\n{"))
	f.Fuzz(func(t *testing.T, line []byte) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write(line)
		_ = z.Close()
		file := filepath.Join(t.TempDir(), "tape")
		if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		tape, err := Replay(file)
		if err != nil {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://x/x", nil)
		if w, err := tape.RoundTrip(r); err == nil {
			_, _ = io.Copy(io.Discard, w.Body)
		}
	})
}
