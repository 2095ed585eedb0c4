// Package httpclient is the HTTP ground under engines that are servers: one JSON client of one server with a
// bearer token, a time limit and a size limit for every request, and one reading of what can go wrong there.
//
// # Errors
//
// A failure that may pass (connection refused or reset, 408, 425, 429, 502, 503, 504, no
// answer in time) has the code unavailable and wraps a *Retry, which says how long the
// server asked to be left alone. A refused request has the code invalid and wraps a
// *Status; an engine reads from it whether the context was full. Anything else that the
// server did wrong has the code engine. What the caller's context ended has the code canceled or deadline.
package httpclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sparkd"
)

// Options say which server and within which limits.
type Options struct {
	URL       string            // "http://127.0.0.1:8000"; a path in front of the routes is kept
	Token     string            // bearer token; "" sends none
	Timeout   time.Duration     // most time of a request; default 10 minutes
	MaxBody   int64             // most bytes of an answer; default 64 MiB
	Transport http.RoundTripper // nil opens connections of its own
}

// Client speaks JSON with one server. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	limit time.Duration
	most  int64
}

// New returns a client; it sends nothing yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return nil, sparkd.Invalid("engine.replicas",
			`write the address of the server, such as "http://127.0.0.1:8000"`, "cannot use %q", o.URL)
	}
	if strings.ContainsAny(o.Token, "\r\n") {
		return nil, sparkd.Invalid("engine.api_key_file", "put one key into the file, in one line",
			"the key holds a line break")
	}
	c := &Client{base: u, limit: cmp.Or(o.Timeout, 10*time.Minute), most: cmp.Or(o.MaxBody, 64<<20)}
	c.http = &http.Client{Transport: Bounded(u.Host, o.Token, c.most, o.Transport),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Name is the server's address.
func (c *Client) Name() string { return c.base.String() }

// Base is the address of the server with a path behind it.
func (c *Client) Base(path string) string { return c.base.String() + path }

// Close closes idle connections; requests under way run on until their contexts end.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// JSON sends in (nil: no body) and reads the answer into out (nil: not read).
func (c *Client) JSON(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return sparkd.Errorf(sparkd.CodeInternal, "the request cannot be written: %v", err)
		}
	}
	answer, err := c.Bytes(ctx, method, path, body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return NotExpected("the answer of "+c.Base(path), answer, err)
	}
	return nil
}

// NotExpected is the error of an answer that is not the JSON it should be.
func NotExpected(what string, answer []byte, cause error) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Err: cause,
		Message: what + " is not the JSON that was expected: " + Excerpt(answer),
		Remedy:  "check that the address is an inference server's, without a proxy that answers itself"}
}

// Bytes sends body and returns the answer as it is.
func (c *Client) Bytes(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	answer, err := c.Open(ctx, method, path, reader)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	return io.ReadAll(answer)
}

// Open sends body (nil: none) and returns the answer of a success, to be read as it comes and closed; closing it
// early gives the request up.
func (c *Client) Open(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Base(path), body)
	if err != nil {
		return nil, sparkd.Errorf(sparkd.CodeInternal, "the request cannot be written: %v", err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	w, err := c.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return w.Body, nil
}

// RoundTrip implements http.RoundTripper, so that the clients of others speak through this one. It returns answers of
// success alone. Its errors are typed, those of reading too, and the limits of time and size hold for the whole answer.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	a := &answer{c: c, url: r.URL.String(), ctx: r.Context()}
	a.limited, a.cancel = context.WithTimeoutCause(a.ctx, c.limit, errSlow)
	w, err := c.http.Do(r.WithContext(a.limited))
	if err != nil {
		err = c.transportError(a.ctx, a.limited, err)
		a.cancel()
		return nil, err
	}
	a.body, w.Body = w.Body, a
	if w.StatusCode >= 200 && w.StatusCode <= 299 {
		return w, nil
	}
	defer a.Close()
	said, err := io.ReadAll(a)
	if err != nil {
		return nil, err
	}
	return nil, statusError(a.url, w, said)
}

// answer is the body of an answer with its limits.
type answer struct {
	c            *Client
	url          string
	ctx, limited context.Context
	cancel       context.CancelFunc
	body         io.ReadCloser
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	switch {
	case errors.Is(err, ErrTooLarge):
		err = sparkd.Errorf(sparkd.CodeEngine, "the answer of %s is larger than %d bytes", a.url, a.c.most)
	case err != nil && err != io.EOF:
		err = a.c.transportError(a.ctx, a.limited, err)
	}
	return n, err
}

// Close implements io.Closer.
func (a *answer) Close() error {
	a.cancel()
	return a.body.Close()
}

// Has reports whether the server answers a GET of path with success, and reads the answer
// into out where it is not nil. A server that cannot be asked is an error.
func (c *Client) Has(ctx context.Context, path string, out any) (bool, error) {
	answer, err := c.Bytes(ctx, http.MethodGet, path, nil)
	if s := (*Status)(nil); errors.As(err, &s) && !IsPassing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return out == nil || json.Unmarshal(answer, out) == nil, nil
}
