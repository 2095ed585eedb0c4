package daemon

import (
	"context"
	"fmt"
	"time"

	"sparkd"
	"sparkd/branching"
	"sparkd/env"
)

// Submit checks a request, stores it and queues it. A request whose id is known is
// answered with what is stored, or refused when it differs.
func (d *Daemon) Submit(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, bool, error) {
	if spec.Tasks.Env == sparkd.EnvClient {
		return sparkd.Rollout{}, false, sparkd.Invalid("tasks.env", "POST /v1/sessions with it", "the environment %q needs a session", spec.Tasks.Env)
	}
	return d.submit(ctx, spec)
}

func (d *Daemon) submit(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, bool, error) {
	spec = spec.WithDefaults()
	if err := spec.Validate(); err != nil {
		return sparkd.Rollout{}, false, err
	}
	d.admitted.Lock()
	defer d.admitted.Unlock()
	if err := d.admits(); err != nil {
		return sparkd.Rollout{}, false, err
	}
	if err := d.resolve(&spec); err != nil {
		return sparkd.Rollout{}, false, err
	}
	if spec.ID != "" {
		_, err := d.store.Rollout(ctx, spec.ID)
		if err == nil {
			return d.repeat(ctx, spec)
		}
		if sparkd.CodeOf(err) != sparkd.CodeNotFound {
			return sparkd.Rollout{}, false, err
		}
	}
	if err := d.check(&spec); err != nil {
		return sparkd.Rollout{}, false, err
	}
	if err := d.room(); err != nil {
		return sparkd.Rollout{}, false, err
	}
	return d.create(ctx, spec)
}

// admits refuses requests that could not be run.
func (d *Daemon) admits() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.draining:
		return errDraining
	case d.parts.Offline:
		return errOffline
	}
	return nil
}

func (d *Daemon) room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if queued, _ := d.count(); queued >= d.config.Daemon.Queue {
		return &sparkd.Error{Code: sparkd.CodeQueueFull, Message: fmt.Sprintf("%d rollouts wait already", queued),
			Remedy: "try again later, or raise daemon.queue"}
	}
	return nil
}

// repeat answers a request whose id is stored. A rollout that was left unfinished by
// an earlier run and not grown on at start is grown on now.
func (d *Daemon) repeat(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, bool, error) {
	r, _, err := d.store.CreateRollout(ctx, sparkd.Rollout{ID: spec.ID, Spec: spec})
	if err != nil {
		return sparkd.Rollout{}, false, err
	}
	if now, ok := d.live(r.ID); ok {
		return now, false, nil
	}
	if !r.State.Ended() {
		j, err := d.adopt(ctx, r)
		if err != nil {
			return sparkd.Rollout{}, false, err
		}
		d.settle(j)
		d.dispatch()
	}
	return r, false, nil
}

// create stores a new rollout with the ids of its trees and queues it.
func (d *Daemon) create(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, bool, error) {
	now := time.Now()
	r := sparkd.Rollout{ID: spec.ID, State: sparkd.RolloutQueued, Created: now}
	if r.ID == "" {
		r.ID = sparkd.NewID(now)
		spec.ID = r.ID
	}
	r.Spec = spec
	for range spec.Tasks.List() {
		r.Trees = append(r.Trees, sparkd.NewID(now))
	}
	r, _, err := d.store.CreateRollout(ctx, r)
	d.mu.Lock()
	d.storeErr = err
	d.mu.Unlock()
	if err != nil {
		return sparkd.Rollout{}, false, err
	}
	j := newJob(r)
	for i := range r.Trees {
		j.waiting = append(j.waiting, i)
	}
	d.enqueue(j)
	d.dispatch()
	return r, true, nil
}

func (d *Daemon) enqueue(j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.jobs = append(d.jobs, j)
	d.byID[j.rollout.ID] = j
}

// check compares a request with what the policy and the engine can do.
func (d *Daemon) check(spec *sparkd.Spec) error {
	policy, err := branching.NewPolicy(spec.Policy, spec.MaxSteps)
	if err != nil {
		return err
	}
	about := d.engine.Describe()
	if err := about.Capabilities.Check(spec.Require); err != nil {
		return err
	}
	if err := branching.CheckEngine(spec.Policy.Name, about.Capabilities); err != nil {
		return err
	}
	if n := about.ContextLength; n > 0 && spec.Sampling.MaxTokens >= n {
		return sparkd.Invalid("sampling.max_tokens", fmt.Sprintf("use fewer than %d; the prompt needs room too", n),
			"%d tokens do not fit in the context of %s (%d tokens)", spec.Sampling.MaxTokens, about.Model, n)
	}
	for i, t := range spec.Sampling.StopTokenIDs {
		if about.Vocabulary > 0 && int(t) >= about.Vocabulary {
			return sparkd.Invalid(fmt.Sprintf("sampling.stop_token_ids[%d]", i), fmt.Sprintf("ids are 0 to %d", about.Vocabulary-1), "the model has no token %d", t)
		}
	}
	return checkCells(spec, policy.Widest(spec.Budget.Leaves), &about)
}

// resolve checks the tasks of a request and turns their names into indices.
func (d *Daemon) resolve(spec *sparkd.Spec) error {
	s, err := d.envs.Source(spec.Tasks.Env)
	if err == nil {
		spec.Tasks, err = env.Resolve(s, spec.Tasks)
	}
	return err
}

// checkCells refuses an expansion that would not fit in an empty engine: its k
// continuations alone, at their longest, with one token of prompt.
func checkCells(spec *sparkd.Spec, k int, about *sparkd.EngineInfo) error {
	field := "policy.branch"
	switch k {
	case spec.Policy.Roots:
		field = "policy.roots"
	case spec.Budget.Leaves:
		field = "budget.leaves"
	}
	need := k*spec.Sampling.MaxTokens + 1
	if about.Cells == 0 || need <= about.Cells {
		return nil
	}
	return &sparkd.Error{Code: sparkd.CodeCapacity, Field: field,
		Message: fmt.Sprintf("%d continuations of up to %d tokens need %d cells; the engine has %d", k, spec.Sampling.MaxTokens, need, about.Cells),
		Remedy:  "lower it or sampling.max_tokens, or raise engine.cells"}
}
