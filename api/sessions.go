package api

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"sparkd"
)

func (s *Server) openSession(r *request) error {
	spec := sparkd.DefaultSessionSpec()
	if err := decode(r.PostBody(), &spec); err != nil {
		return err
	}
	if err := spec.Validate(); err != nil {
		return err
	}
	ctx, cancel := s.context()
	defer cancel()
	rollout, created, err := s.backend.OpenSession(ctx, spec)
	if err != nil {
		return explain(ctx, err)
	}
	status := fasthttp.StatusOK
	if created {
		status = fasthttp.StatusCreated
	}
	r.Response.Header.Set("Location", "/v1/sessions/"+rollout.ID)
	return r.reply(status, rollout)
}

// Longest and usual time that a client is kept waiting for calls, in seconds. Other
// requests' limit, if it is shorter, holds here too.
const (
	maxWait     = 60
	defaultWait = 20
)

func (s *Server) sessionCalls(r *request) error {
	after, err := r.number("after", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	seconds, err := r.number("wait", defaultWait, 0, maxWait)
	if err != nil {
		return err
	}
	wait := min(time.Duration(seconds)*time.Second, s.options.RequestTimeout*9/10)
	ctx, cancel := context.WithTimeout(s.streams, wait) // a shutdown does not wait for it
	defer cancel()
	calls, err := s.backend.SessionCalls(ctx, r.arg, after)
	if err != nil {
		return err
	}
	return r.reply(fasthttp.StatusOK, calls)
}

// SessionAnswers is the body of POST /v1/sessions/{id}/answers.
type SessionAnswers struct {
	Answers []sparkd.EnvAnswer `json:"answers"`
}

// StaleAnswers is its answer: the calls that nobody waited for any more.
type StaleAnswers struct {
	Stale []uint64 `json:"stale"`
}

func (s *Server) sessionAnswers(r *request) error {
	var body SessionAnswers
	if err := decode(r.PostBody(), &body); err != nil {
		return err
	}
	ctx, cancel := s.context()
	defer cancel()
	stale, err := s.backend.SessionAnswers(ctx, r.arg, body.Answers)
	if err != nil {
		return explain(ctx, err)
	}
	if stale == nil {
		stale = []uint64{}
	}
	return r.reply(fasthttp.StatusOK, StaleAnswers{stale})
}

func (s *Server) closeSession(r *request) error {
	ctx, cancel := s.context()
	defer cancel()
	rollout, err := s.backend.CloseSession(ctx, r.arg)
	if err != nil {
		return explain(ctx, err)
	}
	return r.reply(fasthttp.StatusOK, rollout)
}
