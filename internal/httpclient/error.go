package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
)

// Retry is the cause of a failure that may pass.
type Retry struct {
	After time.Duration // that the server asked for; 0 where it said nothing
	Err   error
}

func (r *Retry) Error() string {
	if r.After > 0 {
		return fmt.Sprintf("%v; again after %v", r.Err, r.After)
	}
	return r.Err.Error()
}

// Unwrap returns what happened.
func (r *Retry) Unwrap() error { return r.Err }

// Status is what a server said with a status that is no success, or in the body of one that is.
type Status struct {
	Code    int    // of HTTP; of an error in the body the one that its words stand for, 0 where they say none
	Kind    string // the server's own name of the error, "" where it has none
	Param   string // the field that the server names, "" where it names none
	Message string
}

func (s *Status) Error() string { return fmt.Sprintf("status %d: %s", s.Code, s.Message) }

// IsPassing reports whether err may pass, so that the same request can be sent again.
func IsPassing(err error) bool {
	var r *Retry
	return errors.As(err, &r)
}

// ErrRestarted is the cause of the error of an engine's Probe when its server was started
// anew since the last look: it answers, and its cache is empty.
var ErrRestarted = errors.New("the server was started anew")

// errSlow ends a request that took all the time it may take.
var errSlow = errors.New("no answer in time")

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = time.Hour

// transportError says why there is no whole answer. A deadline of the caller is the
// caller's; the client's own limit is a server that hangs.
func (c *Client) transportError(ctx, limited context.Context, err error) error {
	if ctx.Err() != nil {
		return sparkd.AsError(ctx.Err())
	}
	if e := c.mistaken(err); e != nil {
		return e
	}
	e := &sparkd.Error{Code: sparkd.CodeUnavailable, Err: &Retry{Err: err},
		Message: fmt.Sprintf("%s cannot be reached or broke off: %v", c.Name(), err),
		Remedy:  "check that the server runs and its address is right"}
	if context.Cause(limited) == errSlow {
		e.Err, e.Message = &Retry{Err: errSlow}, fmt.Sprintf("%s gave no answer within %v", c.Name(), c.limit)
		e.Remedy = "check the server's load, or lower sampling.max_tokens"
	}
	return e
}

// statusError types what a server said with a status that is no success.
func (c *Client) statusError(url string, w *http.Response, body []byte) error {
	s := readStatus(w.StatusCode, body)
	s.Message = c.secrets.Replace(s.Message)
	return c.refusal(s, w.Header, fmt.Sprintf("%s answers with %v", url, s))
}

// bodyError types the error that a server put into an answer of success; nil where it did not.
func (c *Client) bodyError(url string, answer []byte) error {
	s := said(answer)
	if s == nil {
		return nil
	}
	s.Message = c.secrets.Replace(s.Message)
	return c.refusal(s, nil, fmt.Sprintf("%s answers with an error: %s", url, s.Message))
}

// refusal is the error that a status stands for.
func (c *Client) refusal(s *Status, header http.Header, message string) error {
	e := &sparkd.Error{Code: sparkd.CodeEngine, Message: message, Err: s}
	switch s.Code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e.Code, e.Remedy = sparkd.CodeUnavailable, "it is busy or starting; try again"
		e.Err = &Retry{After: retryAfter(header.Get("Retry-After"), time.Now()), Err: s}
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		e.Code, e.Field = sparkd.CodeInvalid, s.Param
		e.Remedy = "the server refuses the request as it is"
		if strings.Contains(s.Message, "HTTPS") && c.base.Scheme == "http" {
			e.Code, e.Field, e.Remedy = sparkd.CodeEngine, "engine.replicas", "write https:// in its address"
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Field, e.Remedy = "engine.api_key_file", "give the key that the server wants"
	case http.StatusProxyAuthRequired:
		e.Remedy = "give the proxy's name and password in HTTPS_PROXY or HTTP_PROXY, or name the server in NO_PROXY"
	case http.StatusNotFound:
		e.Field, e.Remedy = "engine.served_model", "check the address of the server and the name of its model"
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		e.Field, e.Remedy = "engine.replicas", "write the address that it points to: "+
			excerpt.Text(excerpt.Address(header.Get("Location")), 200)
	}
	return e
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	after := time.Duration(0)
	if n, err := strconv.ParseFloat(value, 64); err == nil && n == n {
		after = time.Duration(min(max(n, 0), maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(value); err == nil {
		after = at.Sub(now)
	}
	return min(max(after, 0), maxRetryAfter)
}

// Excerpt returns the start of what a server sent, fit for a message.
func Excerpt(body []byte) string { return cmp.Or(excerpt.Text(string(body), 300), "(nothing)") }
