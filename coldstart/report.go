package coldstart

import (
	"bytes"
	"encoding/json"
	"io"

	"sparkd"
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

// add counts a trajectory that was written as so many rows.
func (r *Report) add(t *Trajectory, rows int) {
	r.Trajectories++
	r.Rows += rows
	r.Steps += len(t.Steps)
	r.explores += t.Explores()
	r.Explore = float64(r.explores) / float64(r.Steps)
	if t.Source == Own {
		r.Own++
	}
}

// writeRows writes rows as JSON lines, in one piece: a file that is cut off lacks whole trajectories.
func writeRows(to io.Writer, rows []Row) error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	lines.SetEscapeHTML(false)
	for i := range rows {
		if err := lines.Encode(&rows[i]); err != nil {
			return err
		}
	}
	_, err := to.Write(text.Bytes())
	return err
}
