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
