package api

import (
	"context"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// byID answers with what a method of the Backend returns for the id in the path.
func byID[T any](ask func(Backend, context.Context, string) (T, error)) handler {
	return func(s *Server, ctx context.Context, r *request) (any, error) { return ask(s.backend, ctx, r.arg) }
}

func (s *Server) submit(ctx context.Context, r *request) (any, error) {
	spec, err := ParseSpec(r.PostBody())
	if err != nil {
		return nil, err
	}
	if key := string(r.Request.Header.Peek("Idempotency-Key")); key != "" {
		if spec.ID != "" && spec.ID != key {
			return nil, sparkd.Invalid("id", "send one of the two", "the id and the header Idempotency-Key differ")
		}
		spec.ID = key
	}
	rollout, created, err := s.backend.Submit(ctx, spec)
	return r.submitted(rollout, created, err, fasthttp.StatusAccepted)
}

// submitted answers with a rollout and its place below the path; status is that of a new one.
func (r *request) submitted(rollout sparkd.Rollout, created bool, err error, status int) (any, error) {
	if err == nil {
		r.Response.Header.Set("Location", r.route.pattern+"/"+rollout.ID)
	}
	if created {
		r.SetStatusCode(status)
	}
	return rollout, err
}

func (s *Server) listRollouts(ctx context.Context, r *request) (any, error) {
	limit, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	items, next, err := s.backend.Rollouts(ctx, r.parameter("after"), limit)
	return Page[sparkd.Rollout]{append([]sparkd.Rollout{}, items...), next}, err
}
