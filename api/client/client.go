// Package client talks to a sparkd daemon over its HTTP API. Failures come back as
// the *sparkd.Error that the daemon sent, or as one that says why it was not reached.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"sparkd"
	"sparkd/api"
)

// reloadLimit is how long an exchange of weights may take.
const reloadLimit = 31 * time.Minute

// Client calls one daemon. It is safe for concurrent use.
type Client struct {
	base  string // "http://127.0.0.1:8787"
	token string
	plain bool // answers are not to be compressed
	http  *http.Client

	// timeout bounds a call that is no stream; silence is how long a stream may say nothing, heartbeats included,
	// before it counts as lost; pause is the first of the growing waits between attempts to get it back.
	timeout, silence, pause time.Duration
}

// New returns a client of the daemon at addr, which [Address] reads, that sends token if it is not empty. It does
// not connect.
func New(addr, token string) (*Client, error) {
	u, err := Address(addr)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = reloadLimit // shorter limits are each call's
	transport.DisableCompression = true           // see codings
	return &Client{
		base: u.String(), token: token, http: &http.Client{Transport: transport},
		timeout: time.Minute, silence: time.Minute, pause: 200 * time.Millisecond,
	}, nil
}

// Submit asks for a rollout. It reports whether the daemon made it now; a spec whose
// id is known returns the rollout of then.
func (c *Client) Submit(ctx context.Context, spec sparkd.Spec) (r sparkd.Rollout, created bool, err error) {
	status, err := c.call(ctx, "POST", "/v1/rollouts", nil, spec, &r)
	return r, status == http.StatusAccepted, err
}

// Rollout returns one rollout.
func (c *Client) Rollout(ctx context.Context, id string) (sparkd.Rollout, error) {
	return get[sparkd.Rollout](ctx, c, "/v1/rollouts/"+url.PathEscape(id), nil)
}

// waitFor is how long one request waits for the end of a rollout.
const waitFor = 30 * time.Second

// Wait returns a rollout once it has ended. A daemon that is not there, or shuts down, is an error.
func (c *Client) Wait(ctx context.Context, id string) (sparkd.Rollout, error) {
	for query := (url.Values{"wait": {waitFor.String()}}); ; {
		begun := time.Now()
		r, err := get[sparkd.Rollout](ctx, c, "/v1/rollouts/"+url.PathEscape(id), query)
		if err != nil || r.State.Ended() {
			return r, err
		}
		if time.Since(begun) < c.pause { // it was not made to wait
			select {
			case <-ctx.Done():
				return r, ctx.Err()
			case <-time.After(c.pause):
			}
		}
	}
}

// Rollouts returns a page of rollouts and the cursor of the next page, "" on the last. A limit of 0 takes the daemon's.
func (c *Client) Rollouts(ctx context.Context, l api.List) ([]sparkd.Rollout, string, error) {
	query := url.Values{}
	set(query, "after", l.After)
	set(query, "limit", l.Limit)
	for _, state := range l.States {
		query.Set("state", strings.TrimPrefix(query.Get("state")+","+string(state), ","))
	}
	if l.Oldest {
		query.Set("order", "oldest")
	}
	page, err := get[api.Page[sparkd.Rollout]](ctx, c, "/v1/rollouts", query)
	return page.Items, page.Next, err
}

// Cancel ends a rollout.
func (c *Client) Cancel(ctx context.Context, id string) (r sparkd.Rollout, err error) {
	_, err = c.call(ctx, "DELETE", "/v1/rollouts/"+url.PathEscape(id), nil, nil, &r)
	return r, err
}

// Tree returns a tree as far as it has grown.
func (c *Client) Tree(ctx context.Context, id string) (*sparkd.Tree, error) {
	return get[*sparkd.Tree](ctx, c, "/v1/trees/"+url.PathEscape(id), nil)
}

// Info describes the daemon.
func (c *Client) Info(ctx context.Context) (api.Info, error) {
	return get[api.Info](ctx, c, "/v1/info", nil)
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (out T, err error) {
	_, err = c.call(ctx, "GET", path, query, nil, &out)
	return out, err
}

// call makes one request and decodes its answer into out.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return 0, sparkd.Invalid("", "use finite numbers", "cannot write the request: %v", err)
		}
		body = bytes.NewReader(text)
	}
	resp, err := c.send(ctx, method, path, query, body, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return 0, c.unreached(ctx, err)
	}
	return resp.StatusCode, nil
}

// send makes a request; an answer that is no success is returned as its error.
func (c *Client) send(
	ctx context.Context, method, path string, query url.Values, body io.Reader, header http.Header,
) (*http.Response, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, sparkd.Errorf(sparkd.CodeInternal, "cannot make the request: %v", err)
	}
	maps.Copy(req.Header, header)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if !c.plain {
		req.Header.Set("Accept-Encoding", codings)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if resp.Body, err = unpacked(resp.Header, resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.problem(resp)
	}
	return resp, nil
}

// address is that of the daemon as messages have it.
func (c *Client) address() string { return strings.TrimPrefix(c.base, "http://") }

// unreached says why no answer came.
func (c *Client) unreached(ctx context.Context, err error) error {
	addr := c.address()
	unavailable := func(remedy, format string, args ...any) error {
		return sparkd.NewError(sparkd.CodeUnavailable, "", remedy, format, args...).Because(err)
	}
	var dial *net.OpError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &sparkd.Error{Code: sparkd.CodeDeadline, Message: "no answer from " + addr + " in time", Err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return unavailable("start one with sparkd serve", "no daemon at %s", addr)
	case errors.As(err, &dial) && dial.Op == "dial":
		return unavailable("check the address", "cannot reach %s: %v", addr, dial.Err)
	}
	return unavailable("look at its log", "lost the daemon at %s: %v", addr, err)
}

// problem is the error of an answer that is no success. What the daemon says of a header is said of the client.
func (c *Client) problem(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // a cut body says no less than none
	var e sparkd.Error
	if json.Unmarshal(body, &e) != nil || e.Code == "" {
		return sparkd.NewError(sparkd.CodeUnavailable, "addr", "check the address; a proxy or another program answered",
			"%s gave an answer that is not sparkd's: %s", c.address(), resp.Status)
	}
	const remedy = "name the file that holds it with api.token_file, or set api.token (SPARKD_API_TOKEN)"
	switch {
	case e.Code == sparkd.CodeUnauthorized && c.token == "":
		return sparkd.NewError(e.Code, "api.token", remedy, "the daemon at %s wants a token", c.address())
	case e.Code == sparkd.CodeUnauthorized:
		return sparkd.NewError(e.Code, "api.token", remedy, "the daemon at %s has another token", c.address())
	case e.Code == sparkd.CodeForbidden:
		return sparkd.NewError(e.Code, "addr", "call it as 127.0.0.1 or localhost, or give the daemon an api.token",
			"the daemon at %s has no token, so that it answers on this machine's own names alone", c.address())
	}
	return &e
}

// set sets a parameter, unless it has the zero value, which is the daemon's own.
func set[T comparable](q url.Values, name string, value T) {
	if value != *new(T) {
		q.Set(name, fmt.Sprint(value))
	}
}
