package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching"
	"sparkd/branching/advantage"
)

func (c *cli) treeCommand(cmd *cobra.Command) run {
	all := cmd.Flags().Bool("all", false, "draw every step of long chains")
	estimator := cmd.Flags().String("advantage", "spark-rows", "advantage `estimator`; none leaves the column out")
	return c.reading(cmd, func(cl *client.Client, args []string) error {
		return c.showTree(cl, args[0], *estimator, *all)
	})
}

// showTree draws the tree id, or the trees of the rollout id.
func (c *cli) showTree(cl *client.Client, id, estimator string, all bool) error {
	r, trees, err := c.grown(cl, id)
	if err != nil {
		return err
	}
	for i, t := range trees {
		var d drawing
		if !c.json {
			d, err = c.drawing(t, estimator)
			d.all = all
		}
		if err == nil {
			err = c.show(t, func(w io.Writer) {
				if i > 0 {
					fmt.Fprintln(w)
				}
				d.draw(w, t)
				showVotes(w, votes(r.Spec.Policy.Name, t))
			})
		}
		if err != nil {
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
	trees, err := c.firstTrees(cl, r.Trees)
	return r, trees, err
}

// mostShown is how many trees of a rollout are fetched to be shown.
const mostShown = 64

func (c *cli) firstTrees(cl *client.Client, ids []string) (trees []*sparkd.Tree, err error) {
	for t, err := range c.trees(cl, ids[:min(mostShown, len(ids))]) {
		if err != nil {
			return nil, err
		}
		trees = append(trees, t)
	}
	return trees, nil
}

// drawing says how a tree is drawn on stdout, with its advantages unless all trajectories earned the same.
func (c *cli) drawing(t *sparkd.Tree, estimator string) (drawing, error) {
	d := drawing{width: c.width, color: c.color}
	if estimator == "none" {
		return d, nil
	}
	advantages, err := advantage.Alone(t, estimator)
	if slices.ContainsFunc(advantages, func(a float64) bool { return a != 0 }) {
		d.advantage = advantages
	}
	return d, err
}

// vote is what the leaves of a tree chose.
type vote struct {
	Tree string `json:"tree"`
	Task string `json:"task"`
	branching.Ballot
}

// votes returns those of trees that were grown to act; trees in which nothing ended have
// none, and neither have trees of policies that grow them to train.
func votes(policy string, trees ...*sparkd.Tree) []vote {
	out := []vote{}
	for _, t := range trees {
		if b, err := branching.Vote(t); err == nil && policy == "best-of" {
			out = append(out, vote{t.ID, t.Task.String(), b})
		}
	}
	return out
}

// showVotes writes a line for every vote.
func showVotes(w io.Writer, all []vote) {
	for _, v := range all {
		fmt.Fprintf(w, "vote of %s: %q, by %d of %s (%s), as in the trajectory that ends at %d\n",
			v.Task, v.Answer, v.Votes, count(v.Of, "leaf"), v.Reason, v.Leaf)
	}
}
