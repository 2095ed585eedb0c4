package main

import (
	"context"
	"fmt"
	"io"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/export"
	"sparkd/export/reward"
)

// exportRescored writes finished trees with the rewards of a rule that runs here, beside
// the client: trees are fetched one by one, in the order of rollouts and tasks.
func (c *cli) exportRescored(n *connection, e *exportFlags, o client.ExportOptions, rule []string) (err error) {
	if err := refuseAfter(o); err != nil {
		return err
	}
	cl, done, err := c.open(n)
	if err != nil {
		return err
	}
	defer closing(done, &err)
	scorer, err := reward.Start(c.ctx, reward.Options{Command: rule, Log: func(line string) {
		fmt.Fprintf(c.stderr, "%s: %s\n", clean(rule[0]), clean(line))
	}})
	if err != nil {
		return err
	}
	defer closing(scorer.Close, &err)
	options := e.options
	options.Rescore = func(t *sparkd.Tree) (*sparkd.Tree, error) { return scorer.Rescore(c.ctx, t) }
	var m api.Manifest
	err = c.pack(e, func(w io.Writer) (*api.Manifest, error) {
		lines, err := export.NewWriter(w, options)
		if err != nil {
			return nil, err
		}
		if err := c.everyTree(cl, o, func(t *sparkd.Tree) error { return lines.Write([]*sparkd.Tree{t}) }); err != nil {
			return nil, err
		}
		err = lines.Flush()
		m = lines.Manifest()
		return &m, err
	})
	if err != nil {
		return err
	}
	return c.exported(e, client.Exported{Manifest: m})
}

// everyTree calls f with the finished trees of a rollout, or of all of them.
func (c *cli) everyTree(cl *client.Client, o client.ExportOptions, f func(*sparkd.Tree) error) error {
	left := o.Limit
	trees := func(ctx context.Context, r *sparkd.Rollout) error {
		for _, id := range r.Trees {
			if o.Limit > 0 && left == 0 {
				return nil
			}
			t, err := cl.Tree(ctx, id)
			if sparkd.CodeOf(err) == sparkd.CodeNotFound || err == nil && t.State == sparkd.TreeGrowing {
				continue // not begun, or not finished
			}
			if err != nil {
				return err
			}
			left--
			if err := f(t); err != nil {
				return err
			}
		}
		return nil
	}
	if o.Rollout != "" {
		r, err := cl.Rollout(c.ctx, o.Rollout)
		if err != nil {
			return err
		}
		return trees(c.ctx, &r)
	}
	for after := ""; ; {
		page, next, err := cl.Rollouts(c.ctx, after, 0)
		if err != nil {
			return err
		}
		for i := range page {
			if err := trees(c.ctx, &page[i]); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
