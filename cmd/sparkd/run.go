package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"time"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
)

// runOptions are the flags of `sparkd run` beside the request's.
type runOptions struct {
	connection *settings
	addr       string
	resume     string
	export     *exportFlags
}

func runCommand(c *cli, f *flag.FlagSet) func([]string) error {
	o := &runOptions{connection: c.addSettings(f, "data", "model", alfworldData)}
	spec, policy := addSpec(f), addPolicy(f)
	f.StringVar(&o.addr, "addr", c.env("SPARKD_ADDR"), "`address` of a running daemon, instead of one in this process")
	f.StringVar(&o.resume, "resume", "", "go on with the rollout `id` instead of asking for a new one")
	o.export = addExport(f, "format", "dedupe", "advantage", "filter", "entropies", "text")
	f.Lookup("out").Usage += " (default ROLLOUT.jsonl)"
	return func([]string) error {
		s, err := spec()
		if err == nil {
			err = policy(&s)
		}
		if s = s.WithDefaults(); err == nil {
			err = s.Validate()
		}
		if err != nil {
			return exit{exitUsage, err}
		}
		return c.runRollout(o, s)
	}
}

// runRollout grows one rollout to its end and shows it.
func (c *cli) runRollout(o *runOptions, spec sparkd.Spec) (err error) {
	if err := o.export.options.Validate(); err != nil {
		return err
	}
	if err := checkLines(o.export.out); err != nil {
		return err
	}
	cl, done, err := c.engage(o, o.resume, spec.ID)
	if err != nil {
		return err
	}
	defer closing(done, &err)
	r, err := c.request(cl, o.resume, spec)
	if err != nil {
		return err
	}
	if r, err = c.follow(cl, r); err != nil {
		return c.interrupted(o, r, err)
	}
	return c.conclude(cl, o, r)
}

// engage starts a daemon in this process, which grows on no other rollouts than those
// asked for, or connects to a running one.
func (c *cli) engage(o *runOptions, ids ...string) (*client.Client, func() error, error) {
	l, err := c.load(o.connection, map[string]string{"log.level": "warn"})
	if err == nil {
		err = o.connection.refuseBeside(o.addr)
	}
	if err != nil {
		return nil, nil, err
	}
	if o.addr != "" {
		cl, err := c.dial(o.addr, &l.Config)
		return cl, func() error { return nil }, err
	}
	if c.parts.Engine == nil && l.Config.Engine.Kind == "embedded" {
		fmt.Fprintf(c.stderr, "loading %s\n", clean(l.Config.Engine.Model))
	}
	return c.start(l.Config, daemon.Parts{Resume: func(id string) bool { return slices.Contains(ids, id) }})
}

// request submits the rollout, or finds the one to resume. A signal does not cut it
// short: whoever interrupts learns whether there is a rollout to go on with.
func (c *cli) request(cl *client.Client, resume string, spec sparkd.Spec) (sparkd.Rollout, error) {
	ctx := context.WithoutCancel(c.ctx)
	if resume != "" {
		return cl.Rollout(ctx, resume)
	}
	r, created, err := cl.Submit(ctx, spec)
	if err == nil && !created {
		fmt.Fprintf(c.stderr, "rollout %s exists and goes on\n", r.ID)
	}
	return r, err
}

// follow shows the progress of a rollout until it ends.
func (c *cli) follow(cl *client.Client, r sparkd.Rollout) (sparkd.Rollout, error) {
	p := progress{out: c.stderr, width: c.bar, color: c.barColor, begin: time.Now()}
	defer p.end()
	fmt.Fprintf(c.stderr, "rollout %s: %s of %s/%s\n", r.ID, count(len(r.Trees), "task"), r.Spec.Tasks.Env, r.Spec.Tasks.Split)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		p.show(&r, time.Now(), r.State.Ended())
		if r.State.Ended() {
			return r, nil
		}
		select {
		case <-c.ctx.Done():
			return r, c.ctx.Err()
		case <-tick.C:
		}
		next, err := cl.Rollout(c.ctx, r.ID)
		if err != nil {
			return r, err
		}
		r = next
	}
}

// interrupted says how to go on after a signal; other errors stay as they are.
func (c *cli) interrupted(o *runOptions, r sparkd.Rollout, err error) error {
	if c.ctx.Err() == nil || sparkd.CodeOf(err) != sparkd.CodeCanceled {
		return err
	}
	if o.addr != "" {
		fmt.Fprintf(c.stderr, "rollout %[1]s goes on at %[2]s; watch it with\n  sparkd run --addr %[2]s --resume %[1]s\nor stop it with\n  sparkd cancel --addr %[2]s %[1]s\n", r.ID, o.addr)
	} else {
		fmt.Fprintf(c.stderr, "stopping when the rounds under way are stored; interrupt again to drop them\nrollout %s is kept; go on with\n  sparkd run%s --resume %s\n", r.ID, o.connection.again(), r.ID)
	}
	return exit{code: exitInterrupted}
}
