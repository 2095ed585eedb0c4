package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching/advantage"
)

func treeCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tree ID", Short: "Draw a tree, or all trees of a rollout",
		Example: "sparkd tree 01JD2Z8V5Q0000000000000000",
	}
	n := c.addReading(cmd.Flags())
	all := cmd.Flags().Bool("all", false, "draw every step of long chains")
	estimator := cmd.Flags().String("advantage", "spark-rows", "advantage `estimator`; none leaves the column out")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return c.read(n, func(cl *client.Client) error { return c.showTree(cl, args[0], *estimator, *all) })
	}
	return cmd
}

// showTree draws the tree id, or the trees of the rollout id.
func (c *cli) showTree(cl *client.Client, id, estimator string, all bool) error {
	r, trees, err := c.grown(cl, id)
	if err != nil {
		return err
	}
	for i, t := range trees {
		if i > 0 && !c.json {
			fmt.Fprintln(c.stdout)
		}
		if err := c.drawTree(t, estimator, all); err != nil {
			return err
		}
		if c.json {
			continue
		}
		if err := showVotes(c.stdout, votes(r.Spec.Policy.Name, t)); err != nil {
			return err
		}
	}
	return nil
}

// grown returns the tree id and its rollout, or the rollout id and its first trees.
func (c *cli) grown(cl *client.Client, id string) (sparkd.Rollout, []*sparkd.Tree, error) {
	t, err := cl.Tree(c.ctx, id)
	if err == nil {
		r, err := cl.Rollout(c.ctx, t.Rollout)
		return r, []*sparkd.Tree{t}, err
	}
	if sparkd.CodeOf(err) != sparkd.CodeNotFound {
		return sparkd.Rollout{}, nil, err
	}
	r, err := cl.Rollout(c.ctx, id)
	if err != nil {
		return r, nil, &sparkd.Error{Code: sparkd.CodeNotFound, Remedy: "sparkd rollouts lists what there is",
			Message: fmt.Sprintf("there is no tree and no rollout %q", id)}
	}
	trees, err := c.trees(cl, r, mostShown)
	return r, trees, err
}

// drawTree draws a tree, or writes it as JSON.
func (c *cli) drawTree(t *sparkd.Tree, estimator string, all bool) error {
	if c.json {
		return writeJSON(c.stdout, t)
	}
	d := drawing{width: c.width, color: c.color, all: all}
	if estimator != "none" {
		var err error
		if d.advantage, err = advantage.Alone(t, estimator); err != nil {
			return err
		}
		if !slices.ContainsFunc(d.advantage, func(a float64) bool { return a != 0 }) {
			d.advantage = nil // all trajectories earned the same
		}
	}
	return d.draw(c.stdout, t)
}
