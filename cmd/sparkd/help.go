package main

import (
	"strings"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"
)

// commandHelp is what the help of a command is with --json.
type commandHelp struct {
	Command  string        `json:"command"`
	Short    string        `json:"short"`
	Usage    string        `json:"usage"`
	Examples []string      `json:"examples"`
	Flags    []flagHelp    `json:"flags"`
	Commands []commandHelp `json:"commands"` // below it
}

type flagHelp struct {
	Name      string `json:"name"`
	Shorthand string `json:"shorthand"`
	Argument  string `json:"argument"` // "" where it takes none
	Usage     string `json:"usage"`
	Default   string `json:"default"`
}

// noScreen is the width of help that goes to no screen.
const noScreen = 80

// wrapExamples breaks examples that are wider than a screen in front of flags, where a shell reads on.
func wrapExamples(text string, width int) string {
	var b strings.Builder
	for row := range strings.Lines(text) {
		used := 0
		for i, part := range strings.Split(row, " -") {
			if i > 0 {
				part = " -" + part
			}
			n := cells(strings.TrimSuffix(part, "\n"))
			if used > 0 && used+n+len(" \\") > width {
				b.WriteString(" \\\n   ")
				used = len("   ")
			}
			b.WriteString(part)
			used += n
		}
	}
	return b.String()
}

func describeCommand(cmd *cobra.Command) commandHelp {
	h := commandHelp{Command: cmd.CommandPath(), Short: cmd.Short, Usage: cmd.UseLine(), Examples: []string{},
		Flags: []flagHelp{}, Commands: []commandHelp{}}
	for line := range strings.Lines(strings.ReplaceAll(cmd.Example, "\\\n", "")) {
		h.Examples = append(h.Examples, strings.Join(strings.Fields(line), " "))
	}
	cmd.Flags().VisitAll(func(f *flag.Flag) {
		argument, usage := flag.UnquoteUsage(f)
		h.Flags = append(h.Flags, flagHelp{f.Name, f.Shorthand, argument, usage, f.DefValue})
	})
	for _, below := range cmd.Commands() {
		h.Commands = append(h.Commands, describeCommand(below))
	}
	return h
}
