package api

import (
	"github.com/valyala/fasthttp"

	"sparkd"
)

func (s *Server) submit(r *request) error {
	spec, err := ParseSpec(r.PostBody())
	if err != nil {
		return err
	}
	if key := string(r.Request.Header.Peek("Idempotency-Key")); key != "" {
		if spec.ID != "" && spec.ID != key {
			return sparkd.Invalid("id", "send one of the two", "the id and the header Idempotency-Key differ")
		}
		spec.ID = key
	}
	ctx, cancel := s.context()
	defer cancel()
	rollout, created, err := s.backend.Submit(ctx, spec)
	if err != nil {
		return explain(ctx, err)
	}
	status := fasthttp.StatusOK
	if created {
		status = fasthttp.StatusAccepted
	}
	r.Response.Header.Set("Location", "/v1/rollouts/"+rollout.ID)
	return r.reply(status, rollout)
}

func (s *Server) showRollout(r *request) error {
	ctx, cancel := s.context()
	defer cancel()
	rollout, err := s.backend.Rollout(ctx, r.arg)
	if err != nil {
		return explain(ctx, err)
	}
	return r.reply(fasthttp.StatusOK, rollout)
}

func (s *Server) cancelRollout(r *request) error {
	ctx, cancel := s.context()
	defer cancel()
	rollout, err := s.backend.Cancel(ctx, r.arg)
	if err != nil {
		return explain(ctx, err)
	}
	return r.reply(fasthttp.StatusOK, rollout)
}

func (s *Server) listRollouts(r *request) error {
	limit, err := r.pageSize()
	if err != nil {
		return err
	}
	ctx, cancel := s.context()
	defer cancel()
	items, next, err := s.backend.Rollouts(ctx, r.parameter("after"), limit)
	if err != nil {
		return explain(ctx, err)
	}
	if items == nil {
		items = []sparkd.Rollout{}
	}
	return r.reply(fasthttp.StatusOK, page[sparkd.Rollout]{items, next})
}

func (s *Server) showTree(r *request) error {
	ctx, cancel := s.context()
	defer cancel()
	tree, err := s.backend.Tree(ctx, r.arg)
	if err != nil {
		return explain(ctx, err)
	}
	return r.reply(fasthttp.StatusOK, tree)
}
