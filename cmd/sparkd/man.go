package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"sparkd"
)

func manCommand(*cli) *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Short: "Write the man pages", Example: "sparkd man ~/.local/share/man/man1",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return sparkd.Invalid("folder", "name another", "cannot make it: %v", err)
			}
			v, _ := buildVersion()
			header := &doc.GenManHeader{Section: "1", Source: "sparkd " + v, Manual: "sparkd"}
			return doc.GenManTree(cmd.Root(), header, args[0])
		},
	}
}
