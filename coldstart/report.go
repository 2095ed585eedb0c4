package coldstart

import (
	"bytes"
	"encoding/json"
	"io"

	"sparkd"
	"sparkd/sampler"
)

// Report is what was written and what was not.
type Report struct {
	Trajectories int       `json:"trajectories"`
	Own          int       `json:"own"`
	Rows         int       `json:"rows"`
	Steps        int       `json:"steps"`
	Explore      float64   `json:"explore_share"`      // of the steps
	Skipped      int       `json:"skipped,omitempty"`  // paths whose rows the file had already
	LeftOut      []LeftOut `json:"left_out,omitempty"` // paths that were not accepted
	Answers      int       `json:"answers,omitempty"`  // of the teacher
	Refused      int       `json:"refused,omitempty"`  // of them
	Interrupted  bool      `json:"interrupted,omitempty"`

	explores int
}

// LeftOut is a path that was not accepted.
type LeftOut struct {
	Task   string `json:"task"`
	Reason string `json:"reason"`
}

// empty returns an error if everything was left out that there was to write.
func (r *Report) empty() error {
	if r.Trajectories > 0 || r.Skipped > 0 && len(r.LeftOut) == 0 {
		return nil
	}
	return &sparkd.Error{Code: sparkd.CodeEngine, Field: "teacher",
		Message: "nothing was written: every path was left out",
		Remedy:  "see why above, or in left_out with --json"}
}

// rowWriter writes trajectories as rows, JSON lines, and counts them.
type rowWriter struct {
	to       io.Writer
	job      *Job
	report   *Report
	progress func(*Report) // called when report has changed
}

// write writes the rows of t, in one piece: a file that is cut off lacks whole ones.
func (w *rowWriter) write(t *Trajectory) error {
	rows := Rows(t, sampler.Prompt{Style: w.job.Style}, w.job.Window)
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetEscapeHTML(false)
	for i := range rows {
		if err := lines.Encode(&rows[i]); err != nil {
			return err
		}
	}
	if _, err := w.to.Write(text.Bytes()); err != nil {
		return err
	}
	r := w.report
	r.Trajectories++
	r.Rows += len(rows)
	r.Steps += len(t.Steps)
	r.explores += t.Explores()
	r.Explore = float64(r.explores) / float64(r.Steps)
	if t.Source == Own {
		r.Own++
	}
	w.progress(r)
	return nil
}

// leaveOut notes a path that was not accepted.
func (w *rowWriter) leaveOut(task sparkd.Task, why error) {
	w.report.LeftOut = append(w.report.LeftOut, LeftOut{task.String(), sparkd.AsError(why).Message})
	w.progress(w.report)
}
