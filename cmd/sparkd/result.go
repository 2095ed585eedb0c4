package main

import (
	"fmt"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching/advantage"
)

// conclude writes the lines and shows what was grown.
func (c *cli) conclude(cl *client.Client, o *runOptions, r sparkd.Rollout) error {
	if o.export.out == "" {
		o.export.out = r.ID + ".jsonl"
	}
	exported, err := c.exportTo(cl, o.export, client.ExportOptions{Rollout: r.ID})
	if err != nil {
		return err
	}
	if err := exported.Manifest.Refused(); err != nil {
		c.printError(err) // the trees are stored, and can be exported in another way
	}
	trees, err := c.trees(cl, r, mostShown)
	if err != nil {
		return err
	}
	if c.json {
		err = writeJSON(c.stdout, runResult{r, o.export.out, heads(trees), votes(r.Spec.Policy.Name, trees...)})
	} else {
		err = c.present(o, r, trees)
	}
	if err == nil && r.State != sparkd.RolloutDone {
		return exit{exitFailure, rolloutError(&r)}
	}
	return err
}

// mostShown is how many trees of a rollout are fetched to be shown.
const mostShown = 64

// runResult is what `sparkd run --json` prints.
type runResult struct {
	Rollout sparkd.Rollout `json:"rollout"`
	File    string         `json:"file"`
	Trees   []sparkd.Tree  `json:"trees"`           // without nodes
	Votes   []vote         `json:"votes,omitempty"` // policy best-of
}

func heads(trees []*sparkd.Tree) []sparkd.Tree {
	out := make([]sparkd.Tree, len(trees))
	for i, t := range trees {
		out[i] = *t
		out[i].Nodes = []*sparkd.Node{}
	}
	return out
}

func (c *cli) present(o *runOptions, r sparkd.Rollout, trees []*sparkd.Tree) error {
	if t := mostForked(trees); t != nil {
		fmt.Fprintln(c.stdout)
		estimator := o.export.options.Advantage
		if _, err := advantage.Alone(t, estimator); err != nil {
			estimator = "none" // it is not defined on this tree
		}
		if err := c.drawTree(t, estimator, false); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout)
	}
	if err := summary(c.stdout, trees, c.color); err != nil {
		return err
	}
	if len(trees) < len(r.Trees) {
		fmt.Fprintf(c.stdout, "and %s\n", count(len(r.Trees)-len(trees), "more tree"))
	}
	if err := showVotes(c.stdout, votes(r.Spec.Policy.Name, trees...)); err != nil {
		return err
	}
	to := o.export.out
	if to == "-" {
		to = "stdout"
	}
	if n := outgrown(trees); n > 0 && r.Spec.Context.Mode != sparkd.ContextWindow {
		fmt.Fprintf(c.stdout, "%s ended because the model's context was full: "+
			"--context window shows it the last steps only\n", count(n, "trajectory"))
	}
	_, err := fmt.Fprintf(c.stdout, "\n%d of %s reached the goal · rollout %s · %s\n",
		r.Stats.Successes, count(r.Stats.Leaves, "trajectory"), r.ID, to)
	return err
}

// outgrown counts the trajectories that the model's context ended.
func outgrown(trees []*sparkd.Tree) (n int) {
	for _, t := range trees {
		for _, id := range t.Leaves() {
			if t.Nodes[id].Outcome == sparkd.OutcomeContext {
				n++
			}
		}
	}
	return n
}

func rolloutError(r *sparkd.Rollout) error {
	if r.Error != nil {
		return r.Error
	}
	return fmt.Errorf("rollout %s ended %s", r.ID, r.State)
}

// trees fetches the first trees of a rollout; those that never began are left out.
func (c *cli) trees(cl *client.Client, r sparkd.Rollout, most int) ([]*sparkd.Tree, error) {
	var out []*sparkd.Tree
	for _, id := range r.Trees[:min(most, len(r.Trees))] {
		t, err := cl.Tree(c.ctx, id)
		if sparkd.CodeOf(err) == sparkd.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
