package coldstart

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"sparkd"
	"sparkd/env"
	"sparkd/env/alfworld"
	"sparkd/internal/oneline"
	"sparkd/sampler"
)

// Job says which rows are made: of the planner's trajectories or, with a teacher, of golden
// paths that it gave the reasons for.
type Job struct {
	Options
	Style    sampler.Style
	Window   int            // steps in a prompt; 0: a row holds a whole trajectory
	Teacher  TeacherOptions // without a URL there is none
	KeyFile  string         // with the teacher's key; "": it wants none
	Golden   string         // file of paths, of which Count are taken at most; "": the planner's
	Inflight int            // paths that the teacher is asked about at a time
}

// Run is a job under way.
type Run struct {
	Report Report
	Total  int // trajectories to write, with those that are there already

	job     *Job
	env     sparkd.Env
	games   *alfworld.Env // env, where a planner knows its games
	limit   time.Duration // of one call of env
	teacher *Teacher
	paths   iter.Seq2[Path, error] // for the teacher
}

// Start opens what the job needs; a call of the environment may take as long as limit.
func (j *Job) Start(ctx context.Context, from env.Source, limit time.Duration) (*Run, error) {
	e, err := from.Open(ctx)
	if err != nil {
		return nil, err
	}
	r := &Run{job: j, env: e, limit: limit, Total: j.Count, Report: Report{LeftOut: []LeftOut{}}}
	if j.Teacher.URL == "" {
		err = r.plan(from, 1)
	} else {
		err = r.prepareTeacher(ctx, from)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close ends the environment and the connections to the teacher.
func (r *Run) Close() error {
	if r.teacher != nil {
		r.teacher.Close()
	}
	return r.env.Close()
}

// plan finds the planner of the environment's games, and that there are count tasks.
func (r *Run) plan(from env.Source, count int) error {
	var ok bool
	if r.games, ok = r.env.(*alfworld.Env); !ok {
		return sparkd.Invalid("env", "give golden paths and who gives the reasons: --golden FILE --teacher URL "+
			"--teacher-model NAME; or use household, or a folder of ALFWorld's games",
			"no planner knows the environment %s", r.job.Env)
	}
	tasks, err := env.Resolve(from, sparkd.Tasks{Env: r.job.Env, Split: r.job.Split, From: r.job.From, Count: count})
	r.job.Tasks = from.Info().Splits[tasks.Split]
	return err
}

// prepareTeacher finds the golden paths and who gives the reasons.
func (r *Run) prepareTeacher(ctx context.Context, from env.Source) (err error) {
	o := r.job.Teacher
	if r.job.KeyFile != "" {
		o.Key, err = readKey(r.job.KeyFile)
	}
	if err == nil {
		r.teacher, err = NewTeacher(o)
	}
	if err != nil {
		return err
	}
	if r.job.Golden == "" {
		// all of them, for twice the same path would have twice the same reasons
		err = r.plan(from, r.job.Count)
		r.paths = Golden(ctx, r.games, r.job.Options)
		return err
	}
	f, err := os.Open(r.job.Golden)
	if err != nil {
		return sparkd.Invalid("golden", "name a file of golden paths", "%v", err)
	}
	defer f.Close()
	paths, err := ReadPaths(f, r.job.Env)
	paths = paths[:min(r.job.Count, len(paths))]
	r.Total = len(paths)
	r.paths = func(yield func(Path, error) bool) {
		for _, p := range paths {
			if !yield(p, nil) {
				return
			}
		}
	}
	return err
}

// Resume leaves out the paths whose rows an earlier run has written.
func (r *Run) Resume(earlier *Resumed) {
	r.Report.Skipped = len(earlier.tasks)
	all := r.paths
	r.paths = func(yield func(Path, error) bool) {
		for p, err := range all {
			if !earlier.tasks[p.Task.String()] && !yield(p, err) {
				return
			}
		}
	}
}

// Write writes the rows as JSON lines, and calls progress whenever the report has changed. It
// fails if there is nothing to write but what was left out.
func (r *Run) Write(ctx context.Context, to io.Writer, progress func(*Report)) (err error) {
	emit := func(t *Trajectory) error {
		rows := Rows(t, sampler.Prompt{Style: r.job.Style}, r.job.Window)
		if err := writeRows(to, rows); err != nil {
			return err
		}
		r.Report.add(t, len(rows))
		progress(&r.Report)
		return nil
	}
	if r.teacher == nil {
		err = Collect(ctx, r.games, r.job.Options, emit)
	} else {
		leaveOut := func(task sparkd.Task, why error) {
			r.Report.LeftOut = append(r.Report.LeftOut, LeftOut{task.String(), sparkd.AsError(why).Message})
			progress(&r.Report)
		}
		a := Annotation{Env: r.env, Teacher: r.teacher, MaxSteps: r.job.MaxSteps, Limit: r.limit,
			Inflight: r.job.Inflight, Emit: emit, LeaveOut: leaveOut}
		err = a.Run(ctx, r.paths)
		r.Report.Answers, r.Report.Refused = r.teacher.Answers()
	}
	if err != nil {
		return err
	}
	return r.Report.empty()
}

// Report is what was written and what was not.
type Report struct {
	Trajectories int       `json:"trajectories"`
	Own          int       `json:"own"`
	Rows         int       `json:"rows"`
	Steps        int       `json:"steps"`
	Explore      float64   `json:"explore_share"` // of the steps
	Skipped      int       `json:"skipped"`       // paths whose rows the file had already
	LeftOut      []LeftOut `json:"left_out"`      // paths that were not accepted
	Answers      int       `json:"answers"`       // of the teacher
	Refused      int       `json:"refused"`       // of them
	Interrupted  bool      `json:"interrupted"`

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
	return sparkd.NewError(sparkd.CodeEngine, "teacher", "see why above, or in left_out with --json",
		"nothing was written: every path was left out")
}

// add counts a trajectory that was written as so many rows.
func (r *Report) add(t *Trajectory, rows int) {
	r.Trajectories++
	r.Rows += rows
	r.Steps += len(t.Steps)
	for i := range t.Steps {
		if strings.HasPrefix(t.Steps[i].Reason, "<explore>") {
			r.explores++
		}
	}
	r.Explore = float64(r.explores) / float64(r.Steps)
	if t.Source == Own {
		r.Own++
	}
}

// writeRows writes rows as JSON lines, in one piece: a file that is cut off lacks whole trajectories.
func writeRows(to io.Writer, rows []Row) error {
	var text bytes.Buffer
	lines := oneline.NewEncoder(&text)
	for i := range rows {
		if err := lines.Encode(&rows[i]); err != nil {
			return err
		}
	}
	_, err := to.Write(text.Bytes())
	return err
}
