package main

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

// rolloutList is what `sparkd rollouts --json` prints.
type rolloutList struct {
	Rollouts []sparkd.Rollout `json:"rollouts"`
	Daemon   bool             `json:"daemon"` // one grows those that have not ended
}

func (c *cli) rolloutsCommand(cmd *cobra.Command) run {
	n := c.addReading(cmd)
	var states []sparkd.RolloutState
	about := "only rollouts in this `state`: queued, running, done, failed, canceled; several with commas"
	cmd.Flags().Func("state", about, func(names string) error {
		for name := range strings.SplitSeq(names, ",") {
			states = append(states, sparkd.RolloutState(name))
		}
		return nil
	})
	return func([]string) error {
		return c.read(n, func(cl *client.Client) error {
			list := rolloutList{[]sparkd.Rollout{}, n.offline == ""}
			for r, err := range c.rollouts(cl, "", states...) {
				switch {
				case err != nil:
					return err
				case c.json:
					list.Rollouts = append(list.Rollouts, *r)
				default:
					if err := c.showRollout(n, r); err != nil {
						return err
					}
				}
			}
			if c.json {
				return writeJSON(c.stdout, list)
			}
			return nil
		})
	}
}

func (c *cli) cancelCommand(cmd *cobra.Command) run {
	n := c.addReading(cmd)
	n.cancels = true
	return func(args []string) error {
		return c.read(n, func(cl *client.Client) error {
			r, err := cl.Cancel(c.ctx, args[0])
			if err != nil {
				return err
			}
			if n.offline != "" && r.State == sparkd.RolloutCanceled {
				const done = "no daemon runs on %s: the rollout is canceled there, and none grows it on\n"
				fmt.Fprintf(c.stderr, done, n.offline)
			}
			return c.showRollout(n, &r)
		})
	}
}

// rollouts yields one rollout, or without an id all of them that are in one of the states, page by page, and the error
// that ends them.
func (c *cli) rollouts(
	cl *client.Client, id string, states ...sparkd.RolloutState,
) iter.Seq2[*sparkd.Rollout, error] {
	return func(yield func(*sparkd.Rollout, error) bool) {
		if id != "" {
			r, err := cl.Rollout(c.ctx, id)
			yield(&r, err)
			return
		}
		for after := ""; ; {
			page, next, err := cl.Rollouts(c.ctx, api.List{After: after, States: states, Oldest: true})
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				if !yield(&page[i], nil) {
					return
				}
			}
			if after = next; after == "" {
				return
			}
		}
	}
}

// trees yields trees, without those that never began, and the error that ends them.
func (c *cli) trees(cl *client.Client, ids []string) iter.Seq2[*sparkd.Tree, error] {
	return func(yield func(*sparkd.Tree, error) bool) {
		for _, id := range ids {
			t, err := cl.Tree(c.ctx, id)
			if err == nil && (t.State == sparkd.TreeQueued || t.State == sparkd.TreeCanceled && t.Round == 0) {
				continue
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

func (c *cli) showRollout(n *connection, r *sparkd.Rollout) error {
	state := string(r.State)
	if n.offline != "" && !r.State.Ended() {
		state = "not growing (no daemon)"
	}
	return c.show(r, func(w io.Writer) {
		fmt.Fprintf(w, "%-26s  %-8s  %d/%d trees  %s  %s/%s  %d/%d succeeded  %s\n",
			r.ID, state, r.Done+r.Failed, len(r.Trees), r.Spec.Policy.Name, r.Spec.Tasks.Env, r.Spec.Tasks.Split,
			r.Stats.Successes, r.Stats.Leaves, r.Created.Local().Format(time.DateTime))
	})
}

func (c *cli) infoCommand(cmd *cobra.Command) run {
	return c.reading(cmd, func(cl *client.Client, _ []string) error {
		info, err := cl.Info(c.ctx)
		if err != nil {
			return err
		}
		return c.show(info, func(w io.Writer) { describe(w, &info) })
	})
}

// describe describes a daemon for people.
func describe(w io.Writer, i *api.Info) {
	e := i.Engine
	fmt.Fprintf(w, "sparkd %s, %s\n", i.Version, i.Go)
	if e.Model != "" {
		fmt.Fprintf(w, "engine: %s, %s %s %s, version %s, context %s\n", e.Name, clean(e.Model),
			e.Architecture, e.WeightType, e.PolicyVersion, count(e.ContextLength, "token"))
	} else {
		fmt.Fprintln(w, "engine: none, what is stored can be read")
	}
	for _, doubt := range e.Warnings {
		fmt.Fprintf(w, "warning: %s\n", clean(doubt))
	}
	if i.Prompt != "" {
		fmt.Fprintf(w, "prompts: %s\n", i.Prompt)
	}
	for _, env := range i.Environments {
		var splits []string
		for _, name := range slices.Sorted(maps.Keys(env.Splits)) {
			size := thousands(env.Splits[name])
			if env.Splits[name] == sparkd.Unbounded {
				size = "any index"
			}
			splits = append(splits, fmt.Sprintf("%s (%s)", name, size))
		}
		fmt.Fprintf(w, "environment: %s, %s\n", env.Name, strings.Join(splits, ", "))
	}
	fmt.Fprintf(w, "policies: %s\nadvantages: %s\nformats: %s\n", strings.Join(i.Policies, ", "),
		strings.Join(i.Advantages, ", "), strings.Join(i.Formats, ", "))
	fmt.Fprintf(w, "rollouts: %d running, %d of %d waiting; up to %d trees at once\n",
		i.Running, i.Queued, i.Queue, i.Trees)
}
