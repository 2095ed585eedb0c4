package coldstart

import (
	"context"
	"fmt"
	"iter"
	"time"

	"sparkd"
)

// Annotation is how golden paths become trajectories with a teacher's reasons.
type Annotation struct {
	Env      sparkd.Env // in which paths are replayed
	Teacher  *Teacher
	MaxSteps int           // longer paths are left out
	Limit    time.Duration // of one call of Env; 0: none
	Inflight int           // paths that the teacher is asked about at a time

	Emit     func(*Trajectory) error        // a path that was accepted
	LeaveOut func(t sparkd.Task, why error) // a path that was not
}

// maxTrouble is how many paths in a row may fail for reasons that do not lie in the path:
// the teacher or the environment does not work.
const maxTrouble = 5

// job is a path under way.
type job struct {
	task sparkd.Task
	t    *Trajectory
	err  error
	done chan struct{} // closed when t and err are set
}

// Run replays every path, asks the teacher for the reasons, and calls Emit or LeaveOut for it, in the order of the
// paths. It ends with an error when ctx does, when Emit fails, when the teacher can never answer and after maxTrouble.
func (a *Annotation) Run(ctx context.Context, paths iter.Seq2[Path, error]) error {
	ctx, cancel := context.WithCancel(ctx)
	jobs := make(chan *job, a.Inflight-1) // with the one that is waited for: Inflight
	go a.start(ctx, paths, jobs)
	defer func() {
		cancel()
		for j := range jobs {
			<-j.done
		}
	}()
	trouble := 0
	for j := range jobs {
		<-j.done
		if err := ctx.Err(); err != nil {
			return sparkd.AsError(err)
		}
		switch code := sparkd.CodeOf(j.err); code {
		case "":
			trouble = 0
			if err := a.Emit(j.t); err != nil {
				return err
			}
			continue
		case sparkd.CodeInvalid:
			trouble = 0
		case sparkd.CodeUnauthorized, sparkd.CodeNotFound:
			return j.err
		default:
			if trouble++; trouble == maxTrouble {
				e := *sparkd.AsError(j.err)
				e.Message = fmt.Sprintf("%d paths in a row failed, the last one, %s, because: %s",
					trouble, j.task, e.Message)
				return &e
			}
		}
		a.LeaveOut(j.task, j.err)
	}
	return ctx.Err()
}

// start replays the paths, one after the other for there is one environment, and has the
// teacher asked about each beside that.
func (a *Annotation) start(ctx context.Context, paths iter.Seq2[Path, error], jobs chan<- *job) {
	defer close(jobs)
	for p, err := range paths {
		j := &job{task: p.Task, err: err, done: make(chan struct{})}
		select {
		case jobs <- j:
		case <-ctx.Done():
			return
		}
		if j.err == nil {
			j.t, j.err = p.Replay(ctx, a.Env, a.MaxSteps, a.Limit)
		}
		if j.err != nil {
			close(j.done)
			continue
		}
		go func() {
			defer close(j.done)
			j.err = a.Teacher.Annotate(ctx, j.t)
		}()
	}
}
