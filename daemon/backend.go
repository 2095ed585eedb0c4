package daemon

import (
	"context"
	"iter"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
	"sparkd/branching/advantage"
	"sparkd/export"
	"sparkd/store"
)

var _ api.Backend = (*Daemon)(nil)

// Rollout returns a rollout, one that runs with its counters of this moment.
func (d *Daemon) Rollout(ctx context.Context, id string) (sparkd.Rollout, error) {
	if r, ok := d.live(id); ok {
		return r, nil
	}
	return d.store.Rollout(ctx, id)
}

// live returns a rollout that has not ended.
func (d *Daemon) live(id string) (sparkd.Rollout, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	j, ok := d.byID[id]
	if !ok {
		return sparkd.Rollout{}, false
	}
	return j.snapshot(), true
}

// Rollouts lists rollouts in order of their ids.
func (d *Daemon) Rollouts(ctx context.Context, after string, limit int) ([]sparkd.Rollout, string, error) {
	page, next, err := d.store.Rollouts(ctx, after, limit)
	for i := range page {
		if r, ok := d.live(page[i].ID); ok {
			page[i] = r
		}
	}
	return page, next, err
}

// Cancel stops the trees of a rollout and keeps what they have committed. It returns
// when the rollout has ended.
func (d *Daemon) Cancel(ctx context.Context, id string) (sparkd.Rollout, error) {
	d.mu.Lock()
	j := d.byID[id]
	if j != nil && !j.ending {
		j.canceled = true
		j.cancel()
	}
	d.mu.Unlock()
	if j == nil {
		return d.store.Rollout(ctx, id)
	}
	d.settle(j)
	select {
	case <-j.ended:
		return d.Rollout(ctx, id)
	case <-ctx.Done():
		return sparkd.Rollout{}, ctx.Err()
	}
}

// Tree returns a tree as far as it is committed.
func (d *Daemon) Tree(ctx context.Context, id string) (*sparkd.Tree, error) {
	return d.store.Tree(ctx, id)
}

// Completed yields finished trees in order of completion.
func (d *Daemon) Completed(ctx context.Context, f api.Filter) iter.Seq2[api.Entry, error] {
	return func(yield func(api.Entry, error) bool) {
		if f.Rollout != "" {
			if _, err := d.Rollout(ctx, f.Rollout); err != nil {
				yield(api.Entry{}, err)
				return
			}
		}
		for e, err := range d.store.Completed(ctx, store.Filter{Rollout: f.Rollout, After: f.After, Limit: f.Limit}) {
			if err != nil {
				yield(api.Entry{}, behind(err, e.Cursor))
				return
			}
			if !yield(api.Entry{Cursor: e.Cursor, Tree: e.Tree}, nil) {
				return
			}
		}
	}
}

// behind adds to the error of a tree that cannot be read how to go on without it.
func behind(err error, cursor string) error {
	if cursor == "" {
		return err
	}
	e := *sparkd.AsError(err)
	e.Remedy += "; after=" + cursor + " goes on behind this tree"
	return &e
}

// Events returns what happened behind the event after.
func (d *Daemon) Events(ctx context.Context, after uint64, limit int) ([]sparkd.Event, error) {
	return d.store.Events(ctx, after, limit)
}

// Subscribe wakes its reader after events.
func (d *Daemon) Subscribe() (<-chan struct{}, func()) { return d.store.Subscribe() }

// Gatherer returns the daemon's metrics.
func (d *Daemon) Gatherer() prometheus.Gatherer { return d.metrics.registry }

// Ready returns nil while rollouts are accepted.
func (d *Daemon) Ready() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ready()
}

// ready is Ready while d.mu is held.
func (d *Daemon) ready() error {
	switch {
	case d.draining:
		return errDraining
	case d.parts.Offline:
		return errOffline
	case !d.running:
		return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "sparkd is starting", Remedy: "try again in a moment"}
	case d.storeErr != nil:
		e := *sparkd.AsError(d.storeErr)
		e.Code = sparkd.CodeUnavailable
		return &e
	}
	return nil
}

var errOffline = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "no engine is loaded: what is stored can only be read", Remedy: "start one with sparkd serve"}

// Info describes the daemon.
func (d *Daemon) Info() api.Info {
	info := api.Info{
		Version: d.parts.Version, Commit: d.parts.Commit, Go: runtime.Version(), Started: d.started,
		Environments: d.envs.Infos(),
		Policies:     branching.PolicyNames(),
		Advantages:   advantage.Names(),
		Formats:      export.Formats(),
		Queue:        d.config.Daemon.Queue,
		Trees:        d.config.Daemon.Trees,
	}
	if d.engine != nil {
		info.Engine, info.Prompt = d.engine.Describe(), string(d.prompt.Style)
	}
	if s, err := d.store.Stats(context.Background()); err == nil {
		info.LastEvent = s.LastEvent
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	info.Queued, info.Running = d.count()
	return info
}

// count returns how many rollouts wait and how many run. d.mu is held.
func (d *Daemon) count() (queued, running int) {
	for _, j := range d.jobs {
		switch j.rollout.State {
		case sparkd.RolloutQueued:
			queued++
		case sparkd.RolloutRunning:
			running++
		}
	}
	return queued, running
}
