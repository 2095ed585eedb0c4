package main

import (
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/branching"
	"sparkd/branching/advantage"
	"sparkd/export"
)

// shells are those that completions can be written for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        (*cobra.Command).GenZshCompletion,
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
}

var shellNames = slices.Sorted(maps.Keys(shells))

func (c *cli) completionCommand(cmd *cobra.Command) run {
	cmd.ValidArgs = shellNames
	return func(args []string) error {
		write, ok := shells[args[0]]
		if !ok {
			remedy := meant("", args[0], shellNames) + "one of " + strings.Join(shellNames, ", ")
			return sparkd.Invalid("shell", remedy, "unknown shell %q", args[0])
		}
		if !c.json {
			return write(cmd.Root(), c.stdout)
		}
		var script strings.Builder
		if err := write(cmd.Root(), &script); err != nil {
			return err
		}
		return writeJSON(c.stdout, map[string]string{"shell": args[0], "script": script.String()})
	}
}

// completes reports whether a shell asks for completions.
func completes(command string) bool { return strings.HasPrefix(command, cobra.ShellCompRequestCmd) }

// valued are the flags whose values, alone or in a list with commas, shells complete.
var valued = map[string][]string{
	"policy": branching.PolicyNames(), "policies": branching.PolicyNames(),
	"format": export.Formats(), "advantage": advantage.Names(),
	"context": {sparkd.ContextAppend, sparkd.ContextWindow}, "contexts": {sparkd.ContextAppend, sparkd.ContextWindow},
}

// completeValues lets shells complete the values of a command's flags.
func completeValues(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *flag.Flag) {
		if names := valued[f.Name]; names != nil {
			// Fails only for a flag that has completions or is not there.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, func(_ *cobra.Command, _ []string, typed string) (
				out []string, _ cobra.ShellCompDirective,
			) {
				for _, name := range names {
					out = append(out, typed[:strings.LastIndex(typed, ",")+1]+name)
				}
				return out, cobra.ShellCompDirectiveNoFileComp
			})
		}
	})
}

// plainUsage takes the marks of placeholders from what flags say: shells show it as it is.
func plainUsage(root *cobra.Command) {
	for _, cmd := range append(root.Commands(), root) {
		cmd.LocalFlags().VisitAll(func(f *flag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
}

func (c *cli) manCommand(cmd *cobra.Command) run {
	return func(args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return sparkd.Invalid("folder", "name another", "cannot make it: %v", err)
		}
		v, _ := buildVersion()
		header := &doc.GenManHeader{Section: "1", Source: "sparkd " + v, Manual: "sparkd"}
		if err := doc.GenManTree(cmd.Root(), header, args[0]); err != nil || !c.json {
			return err
		}
		return writeJSON(c.stdout, map[string]string{"folder": args[0]})
	}
}
