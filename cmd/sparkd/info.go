package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
)

func infoCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "info", Short: "Describe a running daemon", Example: "sparkd info --addr 127.0.0.1:8787"}
	n := c.addReading(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		return c.read(n, func(cl *client.Client) error {
			info, err := cl.Info(c.ctx)
			if err != nil {
				return err
			}
			if c.json {
				return writeJSON(c.stdout, info)
			}
			return printInfo(c.stdout, &info)
		})
	}
	return cmd
}

// printInfo describes a daemon for people.
func printInfo(w io.Writer, i *api.Info) error {
	e := i.Engine
	var b strings.Builder
	fmt.Fprintf(&b, "sparkd %s, %s\n", i.Version, i.Go)
	if e.Model != "" {
		fmt.Fprintf(&b, "engine: %s, %s %s %s, version %s, context %s\n", e.Name, clean(e.Model),
			e.Architecture, e.WeightType, e.PolicyVersion, count(e.ContextLength, "token"))
	} else {
		fmt.Fprintln(&b, "engine: none, what is stored can be read")
	}
	if i.Prompt != "" {
		fmt.Fprintf(&b, "prompts: %s\n", i.Prompt)
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
		fmt.Fprintf(&b, "environment: %s, %s\n", env.Name, strings.Join(splits, ", "))
	}
	fmt.Fprintf(&b, "policies: %s\nadvantages: %s\nformats: %s\n", strings.Join(i.Policies, ", "),
		strings.Join(i.Advantages, ", "), strings.Join(i.Formats, ", "))
	fmt.Fprintf(&b, "rollouts: %d running, %d of %d waiting; up to %d trees at once\n",
		i.Running, i.Queued, i.Queue, i.Trees)
	_, err := io.WriteString(w, b.String())
	return err
}
