package daemon

import (
	"context"
	"reflect"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
	"sparkd/env"
	"sparkd/store"
)

// rollouts is the part of the API that takes, shows and cancels rollouts. Nothing in it changes.
type rollouts struct {
	log    zerolog.Logger
	store  *store.Store
	envs   *env.Catalog
	engine sparkd.Engine // nil when offline
	queue  *queue
}

// Rollout returns a rollout, one that runs with its counters of this moment.
func (p *rollouts) Rollout(ctx context.Context, id string) (sparkd.Rollout, error) {
	now, ending, live := p.queue.live(id)
	if live && !ending {
		return now, nil
	}
	r, err := p.store.Rollout(ctx, id)
	if ending && (err != nil || !r.State.Ended()) { // its end is on the way to the store
		return now, nil
	}
	return r, err
}

// Wait returns a rollout when it has ended, or ctx has.
func (p *rollouts) Wait(ctx context.Context, id string) (sparkd.Rollout, error) {
	ended, live := p.queue.ending(id)
	if !live {
		r, err := p.store.Rollout(ctx, id)
		if err != nil || r.State.Ended() {
			return r, err
		}
	}
	select {
	case <-ended: // nil, and never, for one that nobody grows
	case <-ctx.Done():
	}
	return p.Rollout(context.WithoutCancel(ctx), id)
}

// Rollouts lists rollouts. One that runs has its counters of this moment.
func (p *rollouts) Rollouts(ctx context.Context, l api.List) ([]sparkd.Rollout, string, error) {
	page, next, err := p.store.Rollouts(ctx, store.List(l))
	for i := range page {
		if r, _, live := p.queue.live(page[i].ID); live && !page[i].State.Ended() {
			page[i] = r
		}
	}
	return page, next, err
}

// Cancel stops the trees of a rollout and keeps what they have committed. It returns when that is stored, also for a
// rollout of an earlier run that this one does not grow.
func (p *rollouts) Cancel(ctx context.Context, id string) (sparkd.Rollout, error) {
	if _, _, live := p.queue.live(id); !live {
		if err := p.takeUp(ctx, id); err != nil {
			return sparkd.Rollout{}, err
		}
	}
	if err := p.queue.cancel(ctx, id); err != nil {
		return sparkd.Rollout{}, err
	}
	return p.Rollout(ctx, id)
}

// takeUp queues an unfinished rollout that nobody grows, to be canceled.
func (p *rollouts) takeUp(ctx context.Context, id string) error {
	release, err := p.queue.claim(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	r, err := p.store.Rollout(ctx, id)
	if _, _, live := p.queue.live(id); err != nil || live || r.State.Ended() {
		return err
	}
	if p.queue.readOnly {
		return sparkd.NewError(sparkd.CodeUnavailable, "", "use sparkd cancel, or start sparkd serve",
			"the data folder is open for reading only")
	}
	j, err := adopt(ctx, p.store, p.log, r)
	if err == nil {
		j.cancel()
		p.queue.adopt(j)
	}
	return err
}

// Submit checks a request, stores it and queues it. A request whose id is known is
// answered with what is stored, or refused when it differs.
func (p *rollouts) Submit(ctx context.Context, spec sparkd.Spec) (r sparkd.Rollout, created bool, err error) {
	if spec.Tasks.Env == sparkd.EnvClient {
		return r, false, sparkd.Invalid("tasks.env", "POST /v1/sessions with it",
			"the environment %q needs a session", spec.Tasks.Env)
	}
	return p.submit(ctx, spec)
}

func (p *rollouts) submit(ctx context.Context, spec sparkd.Spec) (r sparkd.Rollout, created bool, err error) {
	if spec, err = p.resolved(ctx, spec); err != nil {
		return sparkd.Rollout{}, false, err
	}
	if err := p.queue.status().refused; err != nil {
		return sparkd.Rollout{}, false, err
	}
	if err := resolve(p.envs, &spec); err != nil {
		return sparkd.Rollout{}, false, err
	}
	if spec.ID == "" {
		spec.ID = sparkd.NewID(time.Now())
	}
	release, err := p.queue.claim(ctx, spec.ID)
	if err != nil {
		return sparkd.Rollout{}, false, err
	}
	defer release()
	switch _, err := p.store.Rollout(ctx, spec.ID); sparkd.CodeOf(err) {
	case "":
		r, err := p.repeat(ctx, spec)
		return r, false, err
	case sparkd.CodeNotFound:
		r, err := p.create(ctx, spec)
		return r, err == nil, err
	default:
		return sparkd.Rollout{}, false, err
	}
}

// resolved fills a request in, with no more steps than the environment's episodes have. One that is stored has its
// policy and its steps as they lie there: earlier versions wrote out parameters that a policy does not take and did
// not ask the environment, and whoever repeats those word for word is not refused.
func (p *rollouts) resolved(ctx context.Context, spec sparkd.Spec) (sparkd.Spec, error) {
	full, err := branching.Resolve(spec)
	if err == nil {
		full.MaxSteps = steps(p.envs, &spec)
	}
	if spec.ID == "" {
		return full, err
	}
	switch stored, missing := p.store.Rollout(ctx, spec.ID); {
	case missing != nil:
	case reflect.DeepEqual(stored.Spec, spec):
		return spec, nil
	case err == nil:
		if branching.Same(stored.Spec.Policy, full.Policy) {
			full.Policy = stored.Spec.Policy
		}
		if stored.Spec.MaxSteps == spec.MaxSteps {
			full.MaxSteps = spec.MaxSteps
		}
	}
	return full, err
}

// repeat answers a request whose id is stored. A rollout that was left unfinished by
// an earlier run and not grown on at start is grown on now.
func (p *rollouts) repeat(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, error) {
	now, _, live := p.queue.live(spec.ID)
	r, _, err := p.store.CreateRollout(ctx, sparkd.Rollout{ID: spec.ID, Spec: spec})
	switch {
	case err != nil:
		return sparkd.Rollout{}, err
	case r.State.Ended(): // stored, which the queue may not have seen yet
		return r, nil
	case live:
		return now, nil
	}
	j, err := adopt(ctx, p.store, p.log, r) // it is claimed, so that it stays unfinished
	if err != nil {
		return sparkd.Rollout{}, err
	}
	p.queue.adopt(j)
	return r, nil
}

// create stores a new rollout with the ids of its trees and queues it.
func (p *rollouts) create(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, error) {
	if err := checkSpec(&spec, p.engine.Describe()); err != nil {
		return sparkd.Rollout{}, err
	}
	if err := p.queue.reserve(); err != nil {
		return sparkd.Rollout{}, err
	}
	now := time.Now()
	r := sparkd.Rollout{ID: spec.ID, Spec: spec, State: sparkd.RolloutQueued, Created: now}
	for range spec.Tasks.List() {
		r.Trees = append(r.Trees, sparkd.NewID(now))
	}
	r, _, err := p.store.CreateRollout(ctx, r)
	if err != nil {
		p.queue.created(nil, err)
		return sparkd.Rollout{}, err
	}
	j := newJob(r)
	for i := range r.Trees {
		j.waiting = append(j.waiting, i)
	}
	p.queue.created(j, nil)
	return r, nil
}
