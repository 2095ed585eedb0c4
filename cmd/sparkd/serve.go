package main

import (
	"context"
	"flag"

	"sparkd/daemon"
)

func serveCommand(c *cli, f *flag.FlagSet) func([]string) error {
	s := c.addSettings(f, "data", "model", "listen", alfworldData)
	return func([]string) error { return c.serve(s) }
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
