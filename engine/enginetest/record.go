package enginetest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
	"unicode/utf8"
)

// Tape is an http.RoundTripper that records what a server answers, or answers as it did. A request is known again
// by its method, path and body, whatever its address; the same request sent several times is answered in the order
// of the recording, and the last answer is repeated. One that was given up by its caller is recorded as that, and
// waits for its caller again.
type Tape struct {
	file   string
	server http.RoundTripper // nil replays

	mu      sync.Mutex
	answers map[string][]take
	order   []take
}

// take is one line of a tape.
type take struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body,omitempty"` // of the request, normalised
	Status int             `json:"status"`         // 0 where the caller gave up
	JSON   json.RawMessage `json:"json,omitempty"`
	Text   string          `json:"text,omitempty"` // where the answer is no JSON
	Binary string          `json:"binary,omitempty"`
}

// ignored are fields of a request that depend on which of several requests came first, and
// not on what is asked; so does the number in slotPath.
var (
	ignored  = []string{"id_slot", "filename"}
	slotPath = regexp.MustCompile(`^/slots/\d+`)
)

// Replay returns a tape that answers from a file, which Record wrote.
func Replay(file string) (*Tape, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, err
	}
	t := &Tape{file: file, answers: map[string][]take{}}
	d := json.NewDecoder(z)
	for {
		var k take
		if err := d.Decode(&k); err == io.EOF {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		t.answers[k.key()] = append(t.answers[k.key()], k)
	}
}

// Record returns a tape that asks the server, and writes what it answered into file when it is saved.
func Record(file string, server http.RoundTripper) *Tape { return &Tape{file: file, server: server} }

func (k *take) key() string {
	return k.Method + " " + slotPath.ReplaceAllLiteralString(k.Path, "/slots/0") + " " + string(k.Body)
}

// RoundTrip implements http.RoundTripper.
func (t *Tape) RoundTrip(r *http.Request) (*http.Response, error) {
	k := take{Method: r.Method, Path: r.URL.RequestURI()}
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	k.Body = normal(body)
	if t.server == nil {
		return t.replay(r, k)
	}
	return t.record(r, k, body)
}

func (t *Tape) record(r *http.Request, k take, body []byte) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.Body = io.NopCloser(bytes.NewReader(body))
	w, err := t.server.RoundTrip(sent)
	var answer []byte
	if err == nil {
		answer, err = io.ReadAll(w.Body)
		w.Body.Close()
	}
	if err != nil && r.Context().Err() == nil {
		return nil, err
	}
	if err == nil {
		k.Status = w.StatusCode
		switch {
		case json.Valid(answer):
			k.JSON = answer
		case utf8.Valid(answer):
			k.Text = string(answer)
		default:
			k.Binary = base64.StdEncoding.EncodeToString(answer)
		}
		w.Body = io.NopCloser(bytes.NewReader(answer))
	}
	t.mu.Lock()
	t.order = append(t.order, k)
	t.mu.Unlock()
	return w, err
}

func (t *Tape) replay(r *http.Request, k take) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	t.mu.Lock()
	list := t.answers[k.key()]
	if len(list) > 1 {
		t.answers[k.key()] = list[1:]
	}
	t.mu.Unlock()
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no answer to %.300s", filepath.Base(t.file), k.key())
	}
	got := list[0]
	if got.Status == 0 {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	answer := []byte(got.JSON)
	if got.JSON == nil {
		answer = []byte(got.Text)
	}
	if got.Binary != "" {
		answer, _ = base64.StdEncoding.DecodeString(got.Binary)
	}
	w := httptest.NewRecorder()
	w.WriteHeader(got.Status)
	_, _ = w.Write(answer)
	return w.Result(), nil
}

// ServeHTTP answers as the server did, over a real connection.
func (t *Tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got, err := t.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented)
		return
	}
	w.WriteHeader(got.StatusCode)
	_, _ = io.Copy(w, got.Body)
}

// Save writes the file of a recording.
func (t *Tape) Save() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	z.ModTime = time.Time{}
	e := json.NewEncoder(z)
	e.SetEscapeHTML(false)
	for _, k := range t.order {
		if err := e.Encode(k); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(t.file, out.Bytes(), 0o644)
}

// normal writes a JSON object with its fields in order and without the ignored ones.
func normal(body []byte) json.RawMessage {
	object := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if len(body) == 0 || d.Decode(&object) != nil {
		return nil
	}
	for _, name := range ignored {
		delete(object, name)
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil
	}
	return out
}
