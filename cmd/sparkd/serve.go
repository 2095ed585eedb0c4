package main

import (
	"context"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

func serveCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the daemon",
		Example: "sparkd serve -c config.toml --model SmolLM2.gguf",
	}
	s := c.addSettings(cmd.Flags(), "data", "model", "listen", alfworldData)
	cmd.RunE = func(*cobra.Command, []string) error { return c.serve(s) }
	return cmd
}

func (c *cli) serve(s *settings) error {
	l, err := c.load(s, nil)
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
