package main

import (
	"errors"
	"fmt"
	"io"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/export"
	"sparkd/export/reward"
)

// rescore writes finished trees with the rewards of a rule that runs here, beside the
// client: trees are fetched one by one, in the order of rollouts and tasks.
func (c *cli) rescore(
	cl *client.Client, e *exportFlags, o client.ExportOptions, rule []string,
) (m api.Manifest, err error) {
	log := func(line string) { fmt.Fprintf(c.stderr, "%s: %s\n", clean(rule[0]), clean(line)) }
	scorer, err := reward.Start(c.ctx, reward.Options{Command: rule, Log: log})
	if err != nil {
		return m, err
	}
	options := e.options
	options.Rescore = func(t *sparkd.Tree) (*sparkd.Tree, error) { return scorer.Rescore(c.ctx, t) }
	err = c.pack(e, func(w io.Writer) (*api.Manifest, error) {
		lines, err := export.NewWriter(w, options)
		if err == nil {
			err = c.everyTree(cl, o, func(t *sparkd.Tree) error { return lines.Write([]*sparkd.Tree{t}) })
		}
		if err != nil && err != errLimit {
			return nil, err
		}
		err = lines.Flush()
		m = lines.Manifest()
		return &m, err
	})
	return m, closing(err, scorer.Close())
}

// errLimit ends everyTree.
var errLimit = errors.New("as many trees as were asked for")

// everyTree calls f with the finished trees of a rollout, or of all of them.
func (c *cli) everyTree(cl *client.Client, o client.ExportOptions, f func(*sparkd.Tree) error) error {
	left := o.Limit
	trees := func(r *sparkd.Rollout) error {
		for _, id := range r.Trees {
			t, err := cl.Tree(c.ctx, id)
			if sparkd.CodeOf(err) == sparkd.CodeNotFound || err == nil && t.State == sparkd.TreeGrowing {
				continue // not begun, or not finished
			}
			if err == nil {
				err = f(t)
			}
			if err != nil {
				return err
			}
			if left--; left == 0 {
				return errLimit
			}
		}
		return nil
	}
	if o.Rollout == "" {
		return c.everyRollout(cl, trees)
	}
	r, err := cl.Rollout(c.ctx, o.Rollout)
	if err != nil {
		return err
	}
	return trees(&r)
}
