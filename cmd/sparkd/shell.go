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
		return write(cmd.Root(), c.stdout)
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

func (*cli) manCommand(cmd *cobra.Command) run {
	return func(args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return sparkd.Invalid("folder", "name another", "cannot make it: %v", err)
		}
		v, _ := buildVersion()
		header := &doc.GenManHeader{Section: "1", Source: "sparkd " + v, Manual: "sparkd"}
		return doc.GenManTree(cmd.Root(), header, args[0])
	}
}
