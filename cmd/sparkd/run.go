package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching"
	"sparkd/daemon"
)

// runOptions are the flags of `sparkd run` beside the request's.
type runOptions struct {
	*connection
	resume string
	asks   []string // the flags of the request
	export *exportFlags
}

func (c *cli) runCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	o := &runOptions{connection: c.addGrowing(f)}
	request := flag.NewFlagSet("", flag.ContinueOnError)
	spec, policy := c.addSpec(request), addPolicy(request)
	request.VisitAll(func(fl *flag.Flag) { o.asks = append(o.asks, fl.Name) })
	f.AddFlagSet(request)
	f.StringVar(&o.resume, "resume", "", "go on with the rollout `id` instead of asking for a new one")
	o.export = addExport(f, "format", "dedupe", "advantage", "filter", "entropies", "text")
	f.Lookup("out").Usage += " (default ROLLOUT.jsonl)"
	return func([]string) error {
		s, err := spec()
		if err == nil {
			err = policy(&s)
		}
		if err == nil {
			s, err = branching.Resolve(s)
		}
		if err != nil {
			return err
		}
		return c.runRollout(o, s)
	}
}

// addGrowing declares how a command reaches the daemon that grows its trees.
func (c *cli) addGrowing(f *flag.FlagSet) *connection {
	return c.addConnection(f, ", instead of one in this process", "data", "model", alfworldData)
}

// runRollout grows one rollout to its end and shows it.
func (c *cli) runRollout(o *runOptions, spec sparkd.Spec) error {
	if err := o.export.options.Validate(); err != nil {
		return err
	}
	if err := checkLines(o.export.out); err != nil {
		return err
	}
	return c.grow(o.connection, o.resume != "", []string{o.resume, spec.ID}, func(cl *client.Client) error {
		r, err := c.request(cl, o.resume, spec)
		if err != nil {
			return err
		}
		if r, err = c.follow(cl, r); err == nil {
			err = c.conclude(cl, o, r)
		}
		goesOn := c.again([]string{"--resume", r.ID}, o.asks...)
		return c.interrupted(err, c.keeps(o.connection, "rollout "+r.ID, r.ID), goesOn)
	})
}

// keeps says what becomes of something that grows when this command ends. At a daemon it grows on, until the rollout
// is canceled.
func (c *cli) keeps(n *connection, what, rollout string) string {
	if n.addr != "" {
		return fmt.Sprintf("%s goes on at %s (sparkd cancel --addr %s %s ends it)", what, n.addr, quoted(n.addr),
			quoted(rollout))
	}
	return "stopping when the rounds under way are stored; interrupt again to drop them\n" + what + " is kept"
}

// grow calls use with a client of a daemon in this process, which grows on no other rollouts
// than those named, or of a running one. What is resumed must have a store.
func (c *cli) grow(n *connection, resumed bool, ids []string, use func(*client.Client) error) error {
	l, err := c.connect(n, "warn")
	if err != nil {
		return err
	}
	if n.addr != "" {
		return c.dial(n.addr, &l.Config, use)
	}
	if resumed {
		if _, err := needStore(&l.Config, "name the one that has the rollout with --data"); err != nil {
			return err
		}
	}
	if c.parts.Engine == nil && l.Config.Engine.Kind == "embedded" {
		c.note("loading %s", clean(l.Config.Engine.Model))
	}
	return c.start(l.Config, daemon.Parts{Resume: func(id string) bool { return slices.Contains(ids, id) }}, use)
}

// request submits the rollout, or finds the one to resume. A signal does not cut it
// short: so that it is known whether there is a rollout to go on with.
func (c *cli) request(cl *client.Client, resume string, spec sparkd.Spec) (sparkd.Rollout, error) {
	ctx := context.WithoutCancel(c.ctx)
	if resume != "" {
		return cl.Rollout(ctx, resume)
	}
	r, created, err := cl.Submit(ctx, spec)
	if err == nil && !created {
		c.note("rollout %s exists and goes on", r.ID)
	}
	return r, err
}

// follow shows the progress of a rollout until it ends.
func (c *cli) follow(cl *client.Client, r sparkd.Rollout) (sparkd.Rollout, error) {
	p := progress{status: c.status()}
	defer p.end()
	tasks := r.Spec.Tasks
	c.note("rollout %s: %s of %s/%s", r.ID, count(len(r.Trees), "task"), tasks.Env, tasks.Split)
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
