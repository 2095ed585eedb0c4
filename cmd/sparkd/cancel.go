package main

import (
	"github.com/spf13/cobra"

	"sparkd/api/client"
)

func cancelCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel ROLLOUT", Short: "Cancel a rollout of a running daemon",
		Example: "sparkd cancel nightly-7",
	}
	n := c.addReading(cmd.Flags())
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		return c.read(n, func(cl *client.Client) error {
			r, err := cl.Cancel(c.ctx, args[0])
			if err != nil {
				return err
			}
			return c.printRollout(&r)
		})
	}
	return cmd
}
