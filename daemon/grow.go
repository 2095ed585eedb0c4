package daemon

import (
	"context"
	"runtime/debug"
	"time"

	"sparkd"
	"sparkd/env"
	"sparkd/sampler"
)

// errDraining ends the growth of a tree behind a committed round of a shutdown.
var errDraining = &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "sparkd is shutting down", Remedy: "try again when it runs"}

// dispatch begins trees while there are free places.
func (d *Daemon) dispatch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.running && d.growing < d.config.Daemon.Trees {
		j := pick(d.jobs)
		if j == nil {
			return
		}
		i := j.waiting[j.next]
		j.next++
		j.growing[i] = sparkd.Stats{}
		d.growing++
		begins := j.rollout.State == sparkd.RolloutQueued
		if begins {
			j.rollout.State, j.rollout.Started = sparkd.RolloutRunning, time.Now()
		}
		d.growers.Add(1)
		go d.runTree(j, i, begins)
	}
}

// runTree grows the i-th tree of a job and books how it ended.
func (d *Daemon) runTree(j *job, i int, begins bool) {
	defer d.growers.Done()
	if begins {
		d.save(j)
	}
	tree, err := d.growTree(j, i)
	d.book(j, i, tree, err)
	d.dispatch()
}

// growTree grows a tree from its last committed round to its end. A panic fails the
// tree and not the daemon.
func (d *Daemon) growTree(j *job, i int) (tree *sparkd.Tree, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("growing a tree panicked")
			err = sparkd.Errorf(sparkd.CodeInternal, "growing the tree panicked: %v", p)
		}
	}()
	spec, id := &j.rollout.Spec, j.rollout.Trees[i]
	tree, err = d.store.Tree(j.ctx, id)
	switch {
	case sparkd.CodeOf(err) == sparkd.CodeNotFound:
		tree = sampler.NewTree(j.rollout.ID, spec, j.tasks[i], id, time.Now())
	case err != nil:
		return nil, err
	case tree.State != sparkd.TreeGrowing:
		return tree, nil
	}
	d.mu.Lock()
	j.growing[i] = tree.Stats
	d.mu.Unlock()
	open, limit, err := d.opener(&j.rollout)
	if err != nil {
		return tree, err
	}
	deps := sampler.Deps{
		Engine:        d.engine,
		Template:      d.template,
		Prompt:        d.prompt,
		OpenEnv:       open,
		Commit:        d.commit(j, i),
		SampleTimeout: time.Duration(d.config.Sampler.SampleTimeout),
		EnvTimeout:    limit,
	}
	return tree, sampler.Grow(j.ctx, deps, spec, tree)
}

// openEnvs opens the configured environments; where nothing can run, only those that are
// built in.
func (d *Daemon) openEnvs(ctx context.Context) (err error) {
	configured := map[string]env.Config{}
	if !d.parts.Offline {
		for name, c := range d.config.Env {
			configured[name] = *c
		}
	}
	limit := time.Duration(d.config.Sampler.EnvTimeout)
	d.envs, err = env.Open(ctx, configured, limit, func(name, line string) { d.log.Info().Str("env", name).Msg(line) })
	return err
}

// opener returns what opens copies of a rollout's environment, and how long one call of
// them may take.
func (d *Daemon) opener(r *sparkd.Rollout) (func(context.Context) (sparkd.Env, error), time.Duration, error) {
	name, limit := r.Spec.Tasks.Env, time.Duration(d.config.Sampler.EnvTimeout)
	if name == sparkd.EnvClient {
		after := sparkd.DefaultSessionSpec() // until the client comes back after a restart
		s, _ := d.sessions.open(r.ID, &after)
		return s.Open, sparkd.MaxSessionTimeout + time.Second, nil // the session's own limit is shorter
	}
	if d.parts.OpenEnv != nil {
		return func(ctx context.Context) (sparkd.Env, error) { return d.parts.OpenEnv(ctx, name) }, limit, nil
	}
	s, err := d.envs.Source(name)
	if err != nil {
		return nil, 0, err
	}
	return s.Open, limit, nil
}

// commit stores a round, counts it, and stops the tree behind it in a shutdown. A round
// that is complete is stored even if its rollout was cancelled meanwhile.
func (d *Daemon) commit(j *job, i int) func(context.Context, *sparkd.Tree, int) error {
	return func(ctx context.Context, t *sparkd.Tree, first int) error {
		start := time.Now()
		err := d.store.PutRound(context.WithoutCancel(ctx), t, first)
		d.mu.Lock()
		d.storeErr = err // shown by Ready
		before := j.growing[i]
		if err == nil {
			j.growing[i] = t.Stats
		}
		stop := d.draining && t.State == sparkd.TreeGrowing
		d.mu.Unlock()
		if err != nil {
			d.log.Error().Err(err).Str("tree", t.ID).Msg("a round could not be stored")
			return err
		}
		d.metrics.committed(time.Since(start), t, first, before)
		if stop {
			return errDraining
		}
		return nil
	}
}
