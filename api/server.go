package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"sparkd"
	"sparkd/internal/settings"
)

// Server serves a Backend over HTTP.
type Server struct {
	backend Backend
	options Options
	token   [sha256.Size]byte // hash of Options.Token
	log     zerolog.Logger
	http    *fasthttp.Server
	metrics *metrics
	slots   chan struct{} // one taken per open stream

	// Requests derive their contexts from requests, streams from streams: a shutdown
	// ends the streams first, and the requests only when their time is up.
	requests, streams         context.Context
	stopRequests, stopStreams context.CancelFunc

	mu        sync.Mutex
	closed    bool
	listeners []*listener
}

// idleTimeout is how long a connection may wait for its next request: longer than a trainer
// pauses between two, and short enough for clients that left without a word.
const idleTimeout = 2 * time.Minute

// NewServer returns a server of b. It refuses, with an error that names api.token, an
// Options.Listen that other machines can reach when there is no token.
func NewServer(b Backend, o Options) (*Server, error) {
	if err := settings.Check("api", &o).Err(); err != nil {
		return nil, err
	}
	token, err := o.BearerToken()
	if err != nil {
		return nil, err
	}
	o.Token, o.TokenFile = token, ""
	s := &Server{
		backend: b, options: o, token: sha256.Sum256([]byte(o.Token)), log: o.Logger,
		metrics: newMetrics(), slots: make(chan struct{}, o.Streams),
	}
	s.requests, s.stopRequests = context.WithCancel(context.Background())
	s.streams, s.stopStreams = context.WithCancel(context.Background())
	s.http = &fasthttp.Server{
		Name:                         "sparkd",
		Handler:                      s.serve,
		ErrorHandler:                 s.refuse,
		HeaderReceived:               received,
		MaxRequestBodySize:           int(o.MaxBody),
		Concurrency:                  o.Connections + 1, // the listener turns away first
		ReadTimeout:                  o.ReadTimeout,
		IdleTimeout:                  idleTimeout,
		ReadBufferSize:               16 << 10, // also the limit of a request's headers
		CloseOnShutdown:              true,
		DisablePreParseMultipartForm: true,
		SecureErrorLogMessage:        true,
		Logger:                       fasthttpLog{s.log},
	}
	return s, nil
}

// Serve answers the connections of ln until Shutdown; then it returns nil.
func (s *Server) Serve(ln net.Listener) error {
	l := newListener(ln, s.options.Connections, s.options.WriteTimeout)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	return s.http.Serve(l)
}

// Shutdown stops accepting, ends event streams and exports, waits for the other requests until ctx is done and
// then cuts what is left. It returns ctx's error if something had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	listeners := s.listeners
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Listener.Close() // closed again by fasthttp, whose error says nothing new
	}
	s.stopStreams()
	err := s.waitIdle(ctx)
	s.stopRequests()
	for _, l := range listeners {
		l.drop()
	}
	if err != nil { // what was cut still has to let go of the backend
		grace, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.waitIdle(grace)
	}
	return err
}

func (s *Server) waitIdle(ctx context.Context) error {
	err := s.http.ShutdownWithContext(ctx)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	return nil // what else it says is that the listeners were closed already
}

// context returns the context of a request that is no stream.
func (s *Server) context(r *route) (context.Context, context.CancelFunc) {
	if r.limit > 0 {
		return context.WithTimeout(s.requests, r.limit)
	}
	return context.WithTimeoutCause(s.requests, s.options.RequestTimeout, sparkd.NewError(sparkd.CodeDeadline, "",
		"try again; the daemon is overloaded or its disk is slow",
		"no answer within %v", s.options.RequestTimeout.Round(time.Millisecond)))
}

// explain replaces the bare "deadline exceeded" of a request that ran out of time by the server's own words.
func explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// fasthttpLog gives fasthttp's own messages (broken connections, mostly) to zerolog.
type fasthttpLog struct{ log zerolog.Logger }

// Printf implements fasthttp.Logger.
func (l fasthttpLog) Printf(format string, args ...any) { l.log.Debug().Msgf(format, args...) }
