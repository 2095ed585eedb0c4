package pool

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"sparkd"
)

// Sample implements sparkd.Engine: all continuations of one prefix come from one replica.
// Where an attempt fails in a way that may pass, the same request is sent elsewhere; the
// answer of an attempt that failed is never mixed with that of another.
func (p *Pool) Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	select {
	case p.entered <- struct{}{}:
	case <-ctx.Done():
		return sparkd.SampleResult{}, ctx.Err()
	}
	defer func() { <-p.entered }()
	var failed *replica
	for attempt := 1; ; attempt++ {
		at, err := p.place(ctx, &r, failed)
		if err != nil {
			return sparkd.SampleResult{}, err
		}
		res, err := p.attempt(ctx, at, r)
		p.finish(ctx, at, &r, &res, err)
		switch {
		case err == nil:
			res.Engine = at.on.Name
			return res, nil
		case ctx.Err() != nil:
			return res, ctx.Err()
		case !passing(err) || attempt >= p.attempts || p.final(at.on, err):
			return res, err
		}
		failed = at.on
		if err := pause(ctx, attempt); err != nil {
			return res, err
		}
	}
}

// final reports whether a failure will not be gone at the next attempt: the server answered, not with what it was asked
// for, and there is no other that may do better.
func (p *Pool) final(on *replica, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return answered(err) && p.alone(on)
}

func (p *Pool) attempt(ctx context.Context, at place, r sparkd.SampleRequest) (sparkd.SampleResult, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.o.Timeout, &sparkd.Error{Code: sparkd.CodeDeadline,
		Message: at.on.Name + " gave no answer in time", Remedy: "check the server, or raise engine.timeout"})
	defer cancel()
	res, err := at.engine.Sample(ctx, r)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = context.Cause(ctx)
	}
	if err == nil && len(res.Samples) != r.K {
		err = sparkd.Errorf(sparkd.CodeEngine, "%s returned %d samples of %d", at.on.Name, len(res.Samples), r.K)
	}
	return res, err
}

// pause waits before the next attempt, longer from attempt to attempt and by chance, so
// that what failed together does not come back together.
func pause(ctx context.Context, attempt int) error {
	most := 100 * time.Millisecond << attempt
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(most)))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish gives the place back and books what came of it.
func (p *Pool) finish(ctx context.Context, at place, r *sparkd.SampleRequest, res *sparkd.SampleResult, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	on := at.on
	on.Running--
	on.load -= at.load
	switch {
	case err == nil:
		on.Requests++
		on.failing = 0
		p.account(at, r, res)
	case ctx.Err() != nil || !passing(err): // the caller's doing
	default:
		on.Failures++
		p.failure(on, err)
	}
	p.signal()
}

// account notes what the replica has computed and what it says it reused.
func (p *Pool) account(at place, r *sparkd.SampleRequest, res *sparkd.SampleResult) {
	on := at.on
	on.PromptTokens += len(r.Prefix)
	if on.Info.Capabilities.CachedCounts {
		on.ExpectedTokens += res.ExpectedTokens
		on.CachedTokens += res.CachedTokens
		p.held.Compare(on.Name, res.ExpectedTokens, res.CachedTokens)
	}
	if on.engine != at.engine || on.moving {
		return // it lost its cache meanwhile
	}
	for i := range res.Samples {
		s := &res.Samples[i]
		p.typical += (float64(len(s.Tokens)) - p.typical) / 64
		if n := len(s.Tokens); n > 0 {
			p.held.Add(on.Name, slices.Concat(r.Prefix, s.Tokens[:n-1]))
		}
	}
}

// signal lets waiters have what became free and wakes who watches the replicas. p.mu is held.
func (p *Pool) signal() {
	p.dispatch()
	close(p.changed)
	p.changed = make(chan struct{})
}
