package api

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"sparkd"
)

func (s *Server) openSession(ctx context.Context, r *request) (any, error) {
	spec, err := decode(r.PostBody(), sparkd.DefaultSessionSpec())
	if err == nil {
		err = spec.Validate()
	}
	if err != nil {
		return nil, err
	}
	rollout, created, err := s.backend.OpenSession(ctx, spec)
	return r.submitted(rollout, created, err, fasthttp.StatusCreated)
}

// Longest and usual time that a client is kept waiting for calls, in seconds. Other requests' limit, if it is
// shorter, holds here too.
const (
	maxWait     = 60
	defaultWait = 20
)

func (s *Server) sessionCalls(_ context.Context, r *request) (any, error) {
	after, err := r.number("after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	seconds, err := r.number("wait", defaultWait, 0, maxWait)
	if err != nil {
		return nil, err
	}
	wait := min(time.Duration(seconds)*time.Second, s.options.RequestTimeout*9/10)
	ctx, cancel := context.WithTimeout(s.streams, wait) // a shutdown does not wait for it
	defer cancel()
	return s.backend.SessionCalls(ctx, r.arg, after)
}

// SessionAnswers is the body of POST /v1/sessions/{id}/answers.
type SessionAnswers struct {
	Answers []sparkd.EnvAnswer `json:"answers"`
}

// StaleAnswers is its answer: the calls that nobody waited for any more.
type StaleAnswers struct {
	Stale []uint64 `json:"stale"`
}

func (s *Server) sessionAnswers(ctx context.Context, r *request) (any, error) {
	body, err := decode(r.PostBody(), SessionAnswers{})
	if err != nil {
		return nil, err
	}
	stale, err := s.backend.SessionAnswers(ctx, r.arg, body.Answers)
	return StaleAnswers{append([]uint64{}, stale...)}, err
}
