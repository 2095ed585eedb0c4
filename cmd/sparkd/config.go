package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func configCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "config", Short: "Print the configuration in force, or check a file",
		Example: "sparkd config --check config.toml",
	}
	s := c.addSettings(cmd.Flags(), "data", "model", "listen")
	check := cmd.Flags().String("check", "", "only say whether `file` is valid")
	cmd.RunE = func(*cobra.Command, []string) error {
		if *check != "" {
			s.file = *check
		}
		return c.printConfig(s, *check)
	}
	return cmd
}

// printConfig prints the configuration, or says that the file checked is valid.
func (c *cli) printConfig(s *settings, checked string) error {
	l, err := c.load(s, nil)
	switch {
	case err != nil:
		return err
	case c.json && checked != "":
		return writeJSON(c.stdout, map[string]any{"valid": true, "file": checked})
	case checked != "":
		_, err := fmt.Fprintf(c.stdout, "%s is valid\n", checked)
		return err
	case c.json:
		return writeJSON(c.stdout, l.Settings())
	}
	fmt.Fprintf(c.stdout, "# data folder: %s\n\n", l.Config.DataDir())
	return l.Print(c.stdout)
}
