package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/store"
)

func (c *cli) checkCommand(cmd *cobra.Command) run {
	s := c.addSettings(cmd.Flags(), "data")
	return func([]string) error { return c.check(s) }
}

// check verifies the store of a daemon that does not run.
func (c *cli) check(s *settings) (err error) {
	l, err := c.load(s, "error")
	if err != nil {
		return err
	}
	dir, err := needStore(&l.Config, "name it with --data")
	if err != nil {
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
	r, err := st.Check(c.ctx)
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	err = c.show(r, func(w io.Writer) {
		for _, f := range r.Findings {
			fmt.Fprintf(w, "%s: %s\n  remedy: %s\n", f.Kind, clean(f.Error()), f.Remedy)
		}
		fmt.Fprintf(w, "%s, %s (%d finished), %s, %s checked: %s\n",
			count(r.Rollouts, "rollout"), count(r.Trees, "tree"), r.Finished, count(r.Nodes, "node"),
			count(r.Events, "event"), count(len(r.Findings), "problem"))
	})
	if err == nil && len(r.Findings) > 0 {
		return exit{code: exitProblems}
	}
	return err
}
