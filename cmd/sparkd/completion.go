package main

import (
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
)

// shells are those that completions can be written for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        (*cobra.Command).GenZshCompletion,
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
}

func completionCommand(c *cli) *cobra.Command {
	names := slices.Sorted(maps.Keys(shells))
	return &cobra.Command{
		Use: "completion SHELL", Short: "Write completions for " + strings.Join(names, ", "),
		Example: "source <(sparkd completion bash)", ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := shells[args[0]]
			if !ok {
				remedy := meant("", args[0], names) + "one of " + strings.Join(names, ", ")
				return sparkd.Invalid("shell", remedy, "unknown shell %q", args[0])
			}
			return write(cmd.Root(), c.stdout)
		},
	}
}

// completes reports whether a shell asks for completions.
func completes(command string) bool { return strings.HasPrefix(command, cobra.ShellCompRequestCmd) }

// plainUsage takes the marks of placeholders from what flags say: shells show it as it is.
func plainUsage(root *cobra.Command) {
	for _, cmd := range append(root.Commands(), root) {
		cmd.LocalFlags().VisitAll(func(f *flag.Flag) { f.Usage = strings.ReplaceAll(f.Usage, "`", "") })
	}
}
