package api

import (
	"cmp"
	"errors"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// statuses maps every code to its HTTP status.
var statuses = map[sparkd.Code]int{
	sparkd.CodeInvalid:      fasthttp.StatusBadRequest,
	sparkd.CodeUnauthorized: fasthttp.StatusUnauthorized,
	sparkd.CodeForbidden:    fasthttp.StatusForbidden,
	sparkd.CodeNotFound:     fasthttp.StatusNotFound,
	sparkd.CodeConflict:     fasthttp.StatusConflict,
	sparkd.CodeTooLarge:     fasthttp.StatusRequestEntityTooLarge,
	sparkd.CodeContext:      fasthttp.StatusUnprocessableEntity,
	sparkd.CodeCapacity:     fasthttp.StatusUnprocessableEntity,
	sparkd.CodeQueueFull:    fasthttp.StatusTooManyRequests,
	sparkd.CodeUnavailable:  fasthttp.StatusServiceUnavailable,
	sparkd.CodeCanceled:     fasthttp.StatusServiceUnavailable, // a request is canceled by a shutdown only
	sparkd.CodeDeadline:     fasthttp.StatusGatewayTimeout,
	sparkd.CodeModel:        fasthttp.StatusUnprocessableEntity,
	sparkd.CodeEngine:       fasthttp.StatusInternalServerError,
	sparkd.CodeEnv:          fasthttp.StatusInternalServerError,
	sparkd.CodeDiverged:     fasthttp.StatusInternalServerError,
	sparkd.CodeDamaged:      fasthttp.StatusInternalServerError,
	sparkd.CodeStore:        fasthttp.StatusInternalServerError,
	sparkd.CodeInternal:     fasthttp.StatusInternalServerError,
}

// retryAfter is the number of seconds after which a refused request is worth another
// try: a tree's round takes about that long.
const retryAfter = "5"

// visible is what a client may see of err: everything of an Error but its cause, and
// nothing of an internal one but where to look.
func visible(err error, id string) *sparkd.Error {
	e := *sparkd.AsError(err)
	e.Err = nil
	if e.Code == sparkd.CodeInternal {
		e.Message, e.Remedy = "internal error", "look for request "+id+" in the log of the daemon"
	}
	return &e
}

// refusal is an error with a status of HTTP's own and the header that goes with it.
type refusal struct {
	error
	status        int
	header, value string
}

func (r *refusal) Unwrap() error { return r.error }

// fail answers with err and logs it, causes included, where the daemon is at fault.
func (s *Server) fail(r *request, err error) {
	e := visible(err, r.id)
	status := cmp.Or(statuses[e.Code], fasthttp.StatusInternalServerError)
	if own, ok := errors.AsType[*refusal](err); ok {
		status = own.status
		r.Response.Header.Set(own.header, own.value)
	}
	if status >= 500 {
		s.logFailure(r.id, err)
	}
	r.problem(status, e)
}

func (s *Server) logFailure(id string, err error) {
	s.log.Error().Str("request", id).Err(err).AnErr("cause", sparkd.AsError(err).Err).Msg("request failed")
}

// problem writes e. It keeps the headers that are set.
func (r *request) problem(status int, e *sparkd.Error) {
	if status == fasthttp.StatusTooManyRequests || status == fasthttp.StatusServiceUnavailable {
		r.Response.Header.Set("Retry-After", retryAfter)
	}
	r.SetStatusCode(status)
	_ = r.reply(e) // four strings: they can be written
}

// refuse answers what fasthttp could not read as a request: too large, too slow or not HTTP.
func (s *Server) refuse(ctx *fasthttp.RequestCtx, err error) {
	r := newRequest(ctx)
	status, e := s.unreadable(err)
	if c, ok := ctx.Conn().(*conn); ok && e.Code == sparkd.CodeTooLarge {
		c.refused.Store(true)
	}
	r.problem(status, e)
	s.finish(r)
}

func (s *Server) unreadable(err error) (int, *sparkd.Error) {
	var (
		headers *fasthttp.ErrSmallBuffer
		late    interface{ Timeout() bool }
	)
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return fasthttp.StatusRequestEntityTooLarge, sparkd.NewError(sparkd.CodeTooLarge, "",
			"send less, or raise api.max_body", "the body is over %d bytes", s.options.MaxBody)
	case errors.As(err, &headers):
		return fasthttp.StatusRequestHeaderFieldsTooLarge, sparkd.NewError(sparkd.CodeTooLarge, "",
			"send fewer or shorter headers", "the headers are over %d bytes", s.http.ReadBufferSize)
	case errors.As(err, &late) && late.Timeout():
		return fasthttp.StatusRequestTimeout, sparkd.NewError(sparkd.CodeDeadline, "",
			"send it faster, or raise api.read_timeout", "the request did not arrive within %v", s.options.ReadTimeout)
	}
	return fasthttp.StatusBadRequest, sparkd.Invalid("", "speak HTTP/1.1 without TLS", "this is no HTTP request")
}
