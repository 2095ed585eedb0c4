package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api/client"
)

func rolloutsCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "rollouts", Short: "List rollouts", Example: "sparkd rollouts --json"}
	n := c.addReading(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.read(n, func(cl *client.Client) error { return c.everyRollout(cl, c.printRollout) })
	}
	return cmd
}

// everyRollout calls f with all rollouts, page by page.
func (c *cli) everyRollout(cl *client.Client, f func(*sparkd.Rollout) error) error {
	for after := ""; ; {
		page, next, err := cl.Rollouts(c.ctx, after, 0)
		if err != nil {
			return err
		}
		for i := range page {
			if err := f(&page[i]); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (c *cli) printRollout(r *sparkd.Rollout) error {
	if c.json {
		return writeJSON(c.stdout, r)
	}
	_, err := fmt.Fprintf(c.stdout, "%-26s  %-8s  %d/%d trees  %s  %s/%s  %d/%d succeeded  %s\n",
		r.ID, r.State, r.Done+r.Failed, len(r.Trees), r.Spec.Policy.Name, r.Spec.Tasks.Env, r.Spec.Tasks.Split,
		r.Stats.Successes, r.Stats.Leaves, r.Created.Local().Format(time.DateTime))
	return err
}
