package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"sparkd"
	"sparkd/internal/oneline"
)

// request is one request on its way through the server. It is valid until its handler returns.
type request struct {
	*fasthttp.RequestCtx
	entry
	route   *route // nil when none matched
	accepts negotiated
	arg     string  // value of the route's {id}
	body    *stream // set when the answer is a stream, which then logs its own end
}

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func newRequest(ctx *fasthttp.RequestCtx) *request {
	r := &request{RequestCtx: ctx, entry: entry{
		id: string(ctx.Request.Header.Peek("X-Request-Id")), method: string(ctx.Method()),
		path:    string(ctx.URI().PathOriginal()), // as it was sent: nothing is cleaned up or decoded into another
		pattern: "none", remote: ctx.RemoteAddr().String(), start: time.Now(),
	}}
	if !requestIDForm.MatchString(r.id) {
		r.id = sparkd.NewID(r.start)
	}
	return r
}

// serve takes a request through recover, request id, access log, access check and handler.
func (s *Server) serve(ctx *fasthttp.RequestCtx) {
	r := newRequest(ctx)
	defer s.finish(r)
	defer func() {
		if p := recover(); p != nil {
			ctx.Response.Reset() // closes a body that was already set
			r.body = nil
			s.fail(r, panicked(p))
		}
	}()
	if err := s.dispatch(r); err != nil {
		s.fail(r, err)
	}
}

func (s *Server) dispatch(r *request) error {
	if err := checkFraming(r); err != nil {
		return err
	}
	var err error
	r.route, r.arg, err = match(r.method, r.path)
	if r.route != nil {
		r.pattern, r.quiet = r.route.pattern, r.route.quiet
	}
	if r.route == nil || !r.route.open {
		if denied := s.authorize(r); denied != nil {
			return denied
		}
	}
	if err != nil {
		return err
	}
	if err := cmp.Or(knownParameters(r), s.unpack(r)); err != nil {
		return err
	}
	if r.accepts, err = negotiate(r.Request.Header.PeekAll("Accept-Encoding")); err != nil {
		return err
	}
	ctx, cancel := s.context(r.route)
	defer cancel()
	answer, err := r.route.handler(s, ctx, r)
	if err != nil {
		return explain(ctx, err)
	}
	if answer == nil {
		return nil
	}
	return r.reply(answer)
}

// panicked turns a panic into an error that the log shows with its stack.
func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

// finish logs and counts a request; a stream does it at its own end.
func (s *Server) finish(r *request) {
	r.Response.Header.Set("X-Request-Id", r.id)
	if r.body == nil {
		r.status = r.Response.StatusCode()
		s.record(r.entry, len(r.Response.Body()), nil)
	}
}

// entry is what the access log and the metrics say of a request. It holds nothing of the RequestCtx.
type entry struct {
	id           string // X-Request-Id of the request, or a new one
	method, path string
	pattern      string // of the route; "none" where none matched
	remote       string
	status       int
	start        time.Time
	quiet        bool
}

func (s *Server) record(e entry, bytes int, err error) {
	elapsed := time.Since(e.start)
	s.metrics.observe(e, elapsed)
	level := zerolog.InfoLevel
	if e.quiet && e.status < 500 {
		level = zerolog.DebugLevel
	}
	s.log.WithLevel(level).Str("request", e.id).Str("method", e.method).Str("path", e.path).Str("remote", e.remote).
		Int("status", e.status).Int("bytes", bytes).Float64("elapsed_s", elapsed.Seconds()).AnErr("cut", err).
		Msg("http")
}

// reply answers with v as JSON.
func (r *request) reply(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.answer("application/json", append(oneline.Escape(body, 0), '\n'))
	return nil
}
