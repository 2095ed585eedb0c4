package api

import (
	"context"
	"slices"
	"strings"
	"time"

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

// listParameters are the query parameters of a list of rollouts.
var listParameters = []string{"after", "limit", "order", "state"}

func (s *Server) listRollouts(ctx context.Context, r *request) (any, error) {
	l, err := r.list()
	if err != nil {
		return nil, err
	}
	items, next, err := s.backend.Rollouts(ctx, l)
	return Page[sparkd.Rollout]{append([]sparkd.Rollout{}, items...), next}, err
}

func (r *request) list() (l List, err error) {
	l.After = r.parameter("after")
	if l.Limit, err = r.pageSize(); err != nil {
		return l, err
	}
	switch order := r.parameter("order"); order {
	case "", "newest":
	case "oldest":
		l.Oldest = true
	default:
		return l, sparkd.Invalid("order", "use newest or oldest", "unknown order %q", clip(order))
	}
	known := []sparkd.RolloutState{sparkd.RolloutQueued, sparkd.RolloutRunning, sparkd.RolloutDone,
		sparkd.RolloutFailed, sparkd.RolloutCanceled}
	for name := range strings.SplitSeq(r.parameter("state"), ",") {
		state := sparkd.RolloutState(name)
		if name != "" && !slices.Contains(known, state) {
			return l, sparkd.Invalid("state", "use queued, running, done, failed or canceled, several with commas",
				"unknown state %q", clip(name))
		} else if name != "" {
			l.States = append(l.States, state)
		}
	}
	return l, nil
}

// waitRollout shows a rollout, with wait as soon as it has ended or the time is up. A shutdown does not wait for it.
func (s *Server) waitRollout(ctx context.Context, r *request) (any, error) {
	wait, err := r.duration("wait", maxWait*time.Second)
	if err != nil {
		return nil, err
	}
	if wait == 0 {
		return s.backend.Rollout(ctx, r.arg)
	}
	ctx, cancel := context.WithTimeout(s.streams, wait)
	defer cancel()
	return s.backend.Wait(ctx, r.arg)
}
