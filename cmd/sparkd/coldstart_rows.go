package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"sparkd"
	"sparkd/coldstart"
	"sparkd/export"
	"sparkd/sampler"
)

// coldstartReport is what was written.
type coldstartReport struct {
	Trajectories int       `json:"trajectories"`
	Own          int       `json:"own"`
	Rows         int       `json:"rows"`
	Steps        int       `json:"steps"`
	Explore      float64   `json:"explore_share"`      // of the steps
	Skipped      int       `json:"skipped,omitempty"`  // paths whose rows the file had already
	LeftOut      []leftOut `json:"left_out,omitempty"` // paths that were not accepted
	Answers      int       `json:"answers,omitempty"`  // of the teacher
	Refused      int       `json:"refused,omitempty"`  // of them
	Interrupted  bool      `json:"interrupted,omitempty"`
}

type leftOut struct {
	Task   string `json:"task"`
	Reason string `json:"reason"`
}

// rowWriter writes trajectories as rows.
type rowWriter struct {
	c        *cli
	o        *coldstartFlags
	to       io.Writer
	report   *coldstartReport
	explores int
	progress *coldstartProgress
}

// trajectory writes the rows of t, in one piece: a file that is cut off lacks whole ones.
func (r *rowWriter) trajectory(t *coldstart.Trajectory) error {
	rows := coldstart.Rows(t, sampler.Prompt{Style: sampler.Style(r.o.style)}, r.o.window)
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetEscapeHTML(false)
	for i := range rows {
		if err := lines.Encode(&rows[i]); err != nil {
			return err
		}
	}
	if _, err := r.to.Write(text.Bytes()); err != nil {
		return err
	}
	sum := r.report
	sum.Trajectories++
	sum.Rows += len(rows)
	sum.Steps += len(t.Steps)
	r.explores += t.Explores()
	if t.Source == coldstart.Own {
		sum.Own++
	}
	r.progress.show(sum, time.Now())
	return nil
}

// leave notes a path that was not accepted.
func (r *rowWriter) leave(task sparkd.Task, why error) {
	text := clean(sparkd.AsError(why).Message)
	r.report.LeftOut = append(r.report.LeftOut, leftOut{task.String(), text})
	if !r.c.json {
		r.progress.clear()
		fmt.Fprintf(r.c.stderr, "left out %s: %s\n", task, text)
	}
	r.progress.show(r.report, time.Now())
}

// writeRows calls work with what writes to the output, and reports. What was written before
// an interrupt or an error is kept.
func (c *cli) writeRows(o *coldstartFlags, sum *coldstartReport, work func(context.Context, *rowWriter) error) error {
	r := &rowWriter{c: c, o: o, report: sum, progress: &coldstartProgress{out: c.stderr, width: c.bar, color: c.barColor, quiet: c.json, begin: time.Now(), total: o.Count}}
	err := c.coldstartOutput(o, func(w io.Writer) error {
		packed, err := export.Pack(w, o.out, "rows")
		if err != nil {
			return err
		}
		r.to = packed
		err = work(c.ctx, r)
		if err == nil && sum.Trajectories == 0 && (sum.Skipped == 0 || len(sum.LeftOut) > 0) {
			err = &sparkd.Error{Code: sparkd.CodeEngine, Field: "teacher", Message: "nothing was written: every path was left out", Remedy: "see why above, or in left_out with --json"}
		}
		if err != nil && sum.Trajectories == 0 {
			return err // without Close: what failed leaves an old file as it was
		}
		if closed := packed.Close(); err == nil {
			err = closed
		}
		return err
	})
	r.progress.clear()
	if sum.Steps > 0 {
		sum.Explore = float64(r.explores) / float64(sum.Steps)
	}
	return c.coldstarted(o, sum, err)
}

// coldstarted says what was written, also where an error ended the work.
func (c *cli) coldstarted(o *coldstartFlags, sum *coldstartReport, err error) error {
	sum.Interrupted = err != nil && c.ctx.Err() != nil
	if err != nil && !sum.Interrupted && sum.Trajectories+len(sum.LeftOut) == 0 {
		return err
	}
	var told error
	if c.json {
		told = writeJSON(c.stderr, sum)
	} else {
		_, told = fmt.Fprintln(c.stderr, sum.text(o.teacher.url != ""))
		if err != nil && o.teacher.url != "" && o.out != "" && sum.Trajectories > 0 {
			fmt.Fprintln(c.stderr, "what was written is kept; the same command with --resume goes on")
		}
	}
	if err != nil {
		return err
	}
	return told
}

func (r *coldstartReport) text(taught bool) string {
	b := &bytes.Buffer{}
	if r.Interrupted {
		b.WriteString("interrupted after ")
	}
	b.WriteString(count(r.Trajectories, "trajectory"))
	if !taught {
		fmt.Fprintf(b, ", %d of them sought, %d golden", r.Own, r.Trajectories-r.Own)
	}
	if r.Trajectories > 0 {
		fmt.Fprintf(b, ": %s, %.1f steps each, <explore> on %.0f%% of them", count(r.Rows, "row"), float64(r.Steps)/float64(r.Trajectories), 100*r.Explore)
	}
	if taught {
		fmt.Fprintf(b, "; %s left out, %d of %s of the teacher refused", count(len(r.LeftOut), "path"), r.Refused, count(r.Answers, "answer"))
	}
	if r.Skipped > 0 {
		fmt.Fprintf(b, "; %s had been written before", count(r.Skipped, "trajectory"))
	}
	return b.String()
}

// coldstartOutput calls write with what writes to the output: behind the rows that are
// there with --resume, else in their place.
func (c *cli) coldstartOutput(o *coldstartFlags, write func(io.Writer) error) error {
	if o.teacher.rows != nil {
		return errors.Join(write(o.teacher.rows), o.teacher.rows.Close())
	}
	return c.output(o.out, write)
}
