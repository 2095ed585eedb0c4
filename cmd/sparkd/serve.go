package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

func (c *cli) serveCommand(cmd *cobra.Command) run {
	s := c.addSettings(cmd.Flags(), "data", "model", "listen", alfworldData)
	return func([]string) error {
		l, err := c.load(s, "")
		if err != nil {
			return err
		}
		log := c.logger(l.Config.Log)
		parts := c.parts
		parts.Version, parts.Commit = buildVersion()
		parts.Announce = true
		log.Info().Str("version", parts.Version).Str("engine", l.Config.Engine.Kind).Msg("sparkd starts")
		d, err := daemon.New(c.ctx, l.Config, log, parts)
		if err != nil {
			return err
		}
		defer context.AfterFunc(c.hurry, d.StopNow)()
		return d.Run(c.ctx)
	}
}

func (c *cli) configCommand(cmd *cobra.Command) run {
	s := c.addSettings(cmd.Flags(), "data", "model", "listen")
	check := ""
	cmd.Flags().Func("check", "only say whether `file` is valid", fileName(&check))
	return func([]string) error {
		s.file = cmp.Or(check, s.file)
		l, err := c.load(s, "")
		if err == nil && check != "" {
			err = l.Config.Check(c.ctx)
		}
		switch {
		case err != nil:
			return err
		case check != "":
			valid := map[string]any{"valid": true, "file": check}
			return c.show(valid, func(w io.Writer) { fmt.Fprintf(w, "%s is valid\n", check) })
		}
		inForce := configuration{Settings: l.Settings()}
		if inForce.Data, err = l.Config.DataDir(); err != nil {
			return err
		}
		if c.json {
			return writeJSON(c.stdout, inForce)
		}
		fmt.Fprintf(c.stdout, "# data folder: %s\n\n", inForce.Data)
		return l.Print(c.stdout) // as it is: it is a file
	}
}

// configuration is what `sparkd config --json` prints.
type configuration struct {
	Data     string           `json:"data"` // the data folder
	Settings []daemon.Setting `json:"settings"`
}
