package ollama

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"sparkd"
	"sparkd/internal/httpclient"
)

// wire is the transport of Ollama's client: it sends through the client of package httpclient,
// whose limits and typed errors hold then, and only returns answers of success.
type wire struct{ http *httpclient.Client }

// RoundTrip implements http.RoundTripper.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body io.Reader
	if r.Body != nil {
		defer r.Body.Close()
		body = r.Body
	}
	answer, err := w.http.Open(r.Context(), r.Method, strings.TrimPrefix(r.URL.String(), w.http.Name()), body)
	if err != nil {
		return nil, err
	}
	if s, ok := r.Context().Value(streamKey{}).(*stream); ok {
		s.body = answer
		answer = s
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: answer, ContentLength: -1, Request: r}, nil
}

// stream is the answer of a request that streams. Ollama's client forgets an error of reading, so it is kept here,
// as are the last bytes, for the fields that the client does not know.
type stream struct {
	body io.ReadCloser
	err  error
	tail []byte
}

type streamKey struct{}

// in returns a context for the call of Ollama's client whose answer this is.
func (s *stream) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamKey{}, s)
}

// tailSize is more than the last line of an answer has: it holds counts and times.
const tailSize = 4096

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	s.tail = append(s.tail, p[:n]...)
	s.tail = s.tail[max(0, len(s.tail)-tailSize):]
	return n, err
}

// Close implements io.Closer.
func (s *stream) Close() error { return s.body.Close() }

// last returns the last line that was read.
func (s *stream) last() []byte {
	text := strings.TrimSpace(string(s.tail))
	return []byte(text[strings.LastIndexByte(text, '\n')+1:])
}

// typed returns an error of Ollama's client with its type: what came from below has one, anything else is an
// answer that the client cannot read or an error that the server wrote into it.
func (s *server) typed(path string, err error) error {
	var known *sparkd.Error
	if errors.As(err, &known) {
		return known
	}
	return &sparkd.Error{Code: sparkd.CodeEngine, Err: err,
		Message: s.http.Base(path) + " answers: " + httpclient.Excerpt([]byte(err.Error())),
		Remedy:  "check that the address is an Ollama server's, and the server's log"}
}
