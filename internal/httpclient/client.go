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
	"sparkd/internal/excerpt"
)

// Options say which server and within which limits.
type Options struct {
	// URL is "http://127.0.0.1:8000". A path in front of the routes is kept; a name and password, and a query, go with
	// every request and are seen nowhere else.
	URL       string
	Token     string            // bearer token; "" sends none
	Timeout   time.Duration     // most time of a request; default 10 minutes
	MaxBody   int64             // most bytes of an answer; default 64 MiB
	Transport http.RoundTripper // nil opens connections of its own
}

// Client speaks JSON with one server. It is safe for concurrent use.
type Client struct {
	base    *url.URL // without what is secret
	secrets *strings.Replacer
	http    *http.Client
	limit   time.Duration
	most    int64
}

// New returns a client; it sends nothing yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, sparkd.Invalid("engine.replicas",
			`write the address of the server, such as "http://127.0.0.1:8000"`, "cannot use %q", excerpt.Address(o.URL))
	}
	if strings.ContainsAny(o.Token, "\r\n") {
		return nil, sparkd.Invalid("engine.api_key_file", "put one key into the file, in one line",
			"the key holds a line break")
	}
	if u.User != nil && o.Token != "" {
		return nil, sparkd.Invalid("engine.api_key_file", "use one of them: both go into the same header",
			"there is a key, and the address of %s has a name or password", excerpt.Address(o.URL))
	}
	secret := &identity{user: u.User, query: u.RawQuery, RoundTripper: o.Transport}
	if secret.RoundTripper == nil {
		secret.RoundTripper = Transport(nil)
	}
	c := &Client{limit: cmp.Or(o.Timeout, 10*time.Minute), most: cmp.Or(o.MaxBody, 64<<20)}
	c.base = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}
	c.secrets = secrets(u, o.Token)
	c.http = &http.Client{Transport: Bounded(u.Host, o.Token, c.most, secret),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Name is the server's address, without what is secret in it.
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
		return c.NotExpected(path, answer, err)
	}
	return nil
}

// NotExpected is the error of an answer to path that is not what it should be. It has the server's words.
func (c *Client) NotExpected(path string, answer []byte, cause error) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Err: cause,
		Message: "the answer of " + c.Base(path) + " is not what was expected: " + c.secrets.Replace(Excerpt(answer)),
		Remedy:  "check that the address is an inference server's, without a proxy that answers itself"}
}

// Bytes sends body and returns the answer as it is. One that is an error whatever its status says is an error.
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
	text, err := io.ReadAll(answer)
	if err != nil {
		return nil, err
	}
	return text, c.bodyError(c.Base(path), text)
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
	r = r.Clone(a.limited)
	r.Header["X-Idempotency-Key"] = nil // not sent: net/http repeats it where the server had closed the connection
	w, err := c.http.Do(r)
	if err != nil {
		err = c.transportError(a.ctx, a.limited, err)
		a.cancel()
		return nil, err
	}
	a.body, w.Body = w.Body, a
	coded := w.Header.Get("Content-Encoding") // net/http has undone the one that it asked for
	if w.StatusCode >= 200 && w.StatusCode <= 299 && coded == "" {
		return w, nil
	}
	defer a.Close()
	text, err := io.ReadAll(a)
	if err != nil {
		return nil, err
	}
	if coded != "" {
		text = []byte("(" + coded + ", which nobody asked for)")
	}
	return nil, c.statusError(a.url, w, text)
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
