package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
	to, err := c.rowsTo(o, run)
	if err != nil {
		return err
	}
	p := &coldstartProgress{status: c.status(), quiet: c.json, total: run.Total}
	var ended error
	err = to.write(o.out, func(w io.Writer) error {
		ended = inFlags(c.writeRows(run, w, o.out, p))
		if ended != nil && (run.Report.Trajectories == 0 || !to.keeps) {
			return ended
		}
		return nil
	})
	p.clear()
	return c.reportRows(o, to, &run.Report, cmp.Or(err, ended))
}

// rowsFile is where rows go.
type rowsFile struct {
	write func(path string, write func(io.Writer) error) error
	keeps bool // what was written before an interrupt or an error; else an old file stays as it was
}

// rowsTo opens the file of an earlier run where that is resumed. A teacher's rows are dear: a new file that a later run
// can go on with gets each as soon as it is there, and they are kept in place of an old file, too.
func (c *cli) rowsTo(o *coldstartFlags, run *coldstart.Run) (rowsFile, error) {
	_, err := os.Stat(o.out)
	fresh, taught := err != nil, o.Teacher.URL != ""
	if !o.resume && !(fresh && taught && o.plain()) {
		return rowsFile{c.output, fresh || taught}, nil
	}
	earlier, err := coldstart.Resume(o.out, o.Window)
	if err != nil {
		return rowsFile{}, err
	}
	run.Resume(earlier)
	return rowsFile{func(_ string, write func(io.Writer) error) error {
		err := errors.Join(write(earlier), earlier.Close())
		if fresh && run.Report.Trajectories == 0 {
			err = errors.Join(err, os.Remove(o.out))
		}
		return err
	}, true}, nil
}

// writeRows writes the rows, packed as the name of the output says; those before an interrupt or an error are whole.
func (c *cli) writeRows(run *coldstart.Run, to io.Writer, name string, p *coldstartProgress) error {
	packed, err := export.Pack(to, name, "rows")
	if err != nil {
		return err
	}
	err = run.Write(c.ctx, packed, p.update)
	if err != nil && run.Report.Trajectories == 0 {
		return err
	}
	if closed := packed.Close(); err == nil {
		err = closed
	}
	return err
}

// reportRows says what was written, also where an error ended the work.
func (c *cli) reportRows(o *coldstartFlags, to rowsFile, sum *coldstart.Report, err error) error {
	sum.Interrupted = err != nil && c.ctx.Err() != nil
	if err != nil && !sum.Interrupted && sum.Trajectories+len(sum.LeftOut) == 0 {
		return err
	}
	if c.json {
		err = errors.Join(err, c.report(sum, o.out))
	}
	c.note("%s", rowsWritten(sum, o.Teacher.URL != ""))
	kept, first := "what was written is kept, and the planner's rows are made anew", []string(nil)
	switch {
	case !to.keeps:
		kept = o.out + " is as it was before, and the planner's rows are made anew"
	case o.Teacher.URL != "" && o.plain():
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
	case errors.As(err, &e) && e.Code == sparkd.CodeStore:
		return err // named before
	case e != nil:
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
