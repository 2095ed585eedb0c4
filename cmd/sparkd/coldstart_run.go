package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"sparkd"
	"sparkd/coldstart"
	"sparkd/env"
	"sparkd/export"
)

// coldstart does the job, in the environment and in no other of those that are configured, and writes the rows,
// behind those of an earlier run if that is resumed.
func (c *cli) coldstart(o *coldstartFlags) (err error) {
	if err := checkOutput(o.out); err != nil {
		return err
	}
	l, err := c.load(o.settings, "")
	if err != nil {
		return err
	}
	configured := map[string]env.Config{}
	if e, ok := l.Config.Env[o.Env]; ok {
		configured[o.Env] = *e
	}
	log := func(name, line string) { fmt.Fprintf(c.stderr, "%s: %s\n", name, clean(line)) }
	catalog, err := env.Open(c.ctx, configured, l.Config.Sampler.EnvTimeout, log)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, catalog.Close()) }()
	source, err := catalog.Source(o.Env)
	if err != nil {
		return err
	}
	run, err := o.Start(c.ctx, source, l.Config.Sampler.EnvTimeout)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, run.Close()) }()
	output := c.output
	if o.resume {
		earlier, err := coldstart.Resume(o.out, o.Window)
		if err != nil {
			return err
		}
		run.Resume(earlier)
		output = func(_ string, write func(io.Writer) error) error {
			return errors.Join(write(earlier), earlier.Close())
		}
	}
	p := &coldstartProgress{status: c.status(), quiet: c.json, total: run.Total}
	err = output(o.out, func(to io.Writer) error { return c.writeRows(run, to, o.out, p) })
	p.clear()
	return c.reportRows(o, &run.Report, err)
}

// writeRows writes the rows, packed as the name of the output says. What was written before
// an interrupt or an error is kept.
func (c *cli) writeRows(run *coldstart.Run, to io.Writer, name string, p *coldstartProgress) error {
	packed, err := export.Pack(to, name, "rows")
	if err != nil {
		return err
	}
	err = run.Write(c.ctx, packed, p.update)
	if err != nil && run.Report.Trajectories == 0 {
		return err // without Close: what failed leaves an old file as it was
	}
	if closed := packed.Close(); err == nil {
		err = closed
	}
	return err
}

// reportRows says what was written, also where an error ended the work.
func (c *cli) reportRows(o *coldstartFlags, sum *coldstart.Report, err error) error {
	sum.Interrupted = err != nil && c.ctx.Err() != nil
	if err != nil && !sum.Interrupted && sum.Trajectories+len(sum.LeftOut) == 0 {
		return err
	}
	if c.json {
		err = errors.Join(err, c.report(sum, o.out))
	}
	c.note("%s", rowsWritten(sum, o.Teacher.URL != ""))
	kept, first := "what was written is kept, and the planner's rows are made anew", []string(nil)
	if o.Teacher.URL != "" && o.plain() {
		kept, first = "what was written is kept", []string{"--resume"}
	}
	switch {
	case err == nil || sum.Trajectories == 0:
	case sum.Interrupted:
		return c.interrupted(err, kept, c.again(first))
	case first != nil:
		c.note("%s; go on with\n  %s", kept, c.again(first))
	}
	return err
}

// rowsWritten is the report in a line.
func rowsWritten(r *coldstart.Report, taught bool) string {
	var b strings.Builder
	if r.Interrupted {
		b.WriteString("interrupted after ")
	}
	b.WriteString(count(r.Trajectories, "trajectory"))
	if !taught {
		fmt.Fprintf(&b, ", %d of them sought, %d golden", r.Own, r.Trajectories-r.Own)
	}
	if r.Trajectories > 0 {
		fmt.Fprintf(&b, ": %s, %.1f steps each, <explore> on %.0f%% of them",
			count(r.Rows, "row"), float64(r.Steps)/float64(r.Trajectories), 100*r.Explore)
	}
	if taught {
		fmt.Fprintf(&b, "; %s left out, %d of %s of the teacher refused",
			count(len(r.LeftOut), "path"), r.Refused, count(r.Answers, "answer"))
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "; %s had been written before", count(r.Skipped, "trajectory"))
	}
	return b.String()
}

// inFlags names the flag that an error is about, and what helps here.
func inFlags(err error) error {
	var e *sparkd.Error
	var file *fs.PathError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &file) && file.Op == "write":
		return &sparkd.Error{Code: sparkd.CodeStore, Field: "out", Message: "cannot write the rows: " + err.Error(),
			Remedy: "make room, or name another file with --out", Err: err}
	default:
		return err
	}
	out := *e
	switch e.Field {
	case "out":
		out.Remedy = "name another file with --out" // nothing is kept in a store
	case "tasks.count":
		out.Field = "trajectories"
	case "tasks.env", "tasks.split", "tasks.from":
		out.Field = strings.TrimPrefix(e.Field, "tasks.")
	default:
		return err
	}
	return &out
}
