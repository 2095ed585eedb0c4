package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/store"
)

func checkCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check", Short: "Verify every stored record",
		Example: "sparkd check --data /var/lib/sparkd",
	}
	s := c.addSettings(cmd.Flags(), "data")
	cmd.RunE = func(*cobra.Command, []string) error { return c.check(s) }
	return cmd
}

// check verifies the store of a daemon that does not run.
func (c *cli) check(s *settings) (err error) {
	l, err := c.load(s, map[string]string{"log.level": "error"})
	if err != nil {
		return err
	}
	dir := l.Config.DataDir()
	if err := needStore(dir, "name it with --data"); err != nil {
		return err
	}
	options := l.Config.Store
	options.ReadOnly, options.Logger = true, c.logger(l.Config.Log)
	st, err := store.Open(dir, options)
	if sparkd.CodeOf(err) == sparkd.CodeConflict {
		return &sparkd.Error{Code: sparkd.CodeConflict, Message: "a running sparkd uses " + dir,
			Remedy: "stop it and check again", Err: err}
	}
	if err != nil {
		return err
	}
	report, err := st.Check(c.ctx)
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	return c.reportCheck(report)
}

func (c *cli) reportCheck(r store.Report) error {
	if c.json {
		if err := writeJSON(c.stdout, r); err != nil {
			return err
		}
	} else {
		for _, f := range r.Findings {
			fmt.Fprintf(c.stdout, "%s: %s\n  remedy: %s\n", f.Kind, clean(f.Error()), f.Remedy)
		}
		fmt.Fprintf(c.stdout, "%s, %s (%d finished), %s, %s checked: %s\n",
			count(r.Rollouts, "rollout"), count(r.Trees, "tree"), r.Finished, count(r.Nodes, "node"),
			count(r.Events, "event"), count(len(r.Findings), "problem"))
	}
	if len(r.Findings) > 0 {
		return exit{code: exitProblems}
	}
	return nil
}
