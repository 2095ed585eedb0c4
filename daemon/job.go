package daemon

import (
	"context"
	"time"

	"sparkd"
)

// job is a rollout that has not ended, in the queue.
type job struct {
	// Never changed.
	tasks   []sparkd.Task // one per tree
	waiting []int         // indexes of the trees that had not ended when the job was made
	ctx     context.Context
	stop    context.CancelCauseFunc // ends ctx; the cause is errCanceled or errDraining
	ended   chan struct{}           // closed by the queue when the last state is stored, or will be in a later run

	// Owned by the queue. Who and what is in rollout never changes and is read by growers.
	rollout sparkd.Rollout // Stats are those of the trees that ended
	growing map[int]sparkd.Stats
	failure *sparkd.Error // of the last tree that failed

	// The way to the store. One state is on it at a time.
	saved    time.Time       // when one last went
	writing  bool            // one is on its way, or waits for retrying
	again    bool            // another one goes behind it
	then     []func(error)   // what is to be done when that one is stored
	last     *sparkd.Rollout // the last one: it is not the rollout's state before it is stored
	stuck    error           // why the newest one, or a round, could not be stored
	failed   int             // how often in a row
	retrying *time.Timer     // nil where nothing waits for another try
}

func newJob(r sparkd.Rollout) *job {
	j := &job{rollout: r, tasks: r.Spec.Tasks.List(), growing: map[int]sparkd.Stats{}, ended: make(chan struct{})}
	j.ctx, j.stop = context.WithCancelCause(context.Background())
	return j
}

// snapshot is the rollout as a reader sees it, growing trees included. One that waits for the store says why.
func (j *job) snapshot() sparkd.Rollout {
	r := j.state()
	if j.stuck != nil {
		r.Error = sparkd.AsError(j.stuck)
	}
	return r
}

// state is the rollout as far as it has come for sure.
func (j *job) state() sparkd.Rollout {
	r := j.rollout
	for _, s := range j.growing {
		r.Stats.Add(s)
	}
	return r
}

// book adds a tree to the counters of its rollout; nil is one that did not end.
func (j *job) book(i int, tree *sparkd.Tree) {
	if tree == nil {
		tree = &sparkd.Tree{Stats: j.growing[i]}
	}
	delete(j.growing, i)
	tally(&j.rollout, tree)
	if tree.State == sparkd.TreeFailed {
		j.failure = tree.Error
	}
}

// cancel leaves nothing to be grown. The queue finishes the job as one that was canceled.
func (j *job) cancel() {
	j.waiting = nil
	j.stop(errCanceled)
}

// finish makes the rollout's last state.
func (j *job) finish() {
	r := j.state()
	switch {
	case context.Cause(j.ctx) == errCanceled:
		r.State = sparkd.RolloutCanceled
	case r.Done > 0:
		r.State = sparkd.RolloutDone
	default:
		r.State, r.Error = sparkd.RolloutFailed, j.failure
	}
	r.Finished = time.Now()
	j.last = &r
}
