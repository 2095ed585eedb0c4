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
	ended   chan struct{}           // closed by the queue when the last state is stored, or could not be

	// Owned by the queue. Who and what is in rollout never changes and is read by growers.
	rollout sparkd.Rollout // Stats are those of the trees that ended
	growing map[int]sparkd.Stats
	failure *sparkd.Error // of the last tree that failed
	saved   time.Time     // when its state last went to the store
	writing bool          // a state is on its way there
	again   bool          // another one goes behind it
	then    []func(error) // what is to be done when that one is stored
}

func newJob(r sparkd.Rollout) *job {
	j := &job{rollout: r, tasks: r.Spec.Tasks.List(), growing: map[int]sparkd.Stats{}, ended: make(chan struct{})}
	j.ctx, j.stop = context.WithCancelCause(context.Background())
	return j
}

// snapshot is the rollout as a reader sees it, growing trees included.
func (j *job) snapshot() sparkd.Rollout {
	r := j.rollout
	for _, s := range j.growing {
		r.Stats.Add(s)
	}
	return r
}

// book adds a tree to the counters of its rollout; nil is one that did not end.
func (j *job) book(i int, tree *sparkd.Tree) {
	stats := j.growing[i]
	delete(j.growing, i)
	if tree != nil {
		stats = tree.Stats
		switch tree.State {
		case sparkd.TreeDone:
			j.rollout.Done++
		case sparkd.TreeFailed:
			j.rollout.Failed++
			j.failure = tree.Error
		}
	}
	j.rollout.Stats.Add(stats)
}

// finish gives the rollout its last state.
func (j *job) finish() {
	r := &j.rollout
	switch {
	case context.Cause(j.ctx) == errCanceled:
		r.State = sparkd.RolloutCanceled
	case r.Done > 0:
		r.State = sparkd.RolloutDone
	default:
		r.State, r.Error = sparkd.RolloutFailed, j.failure
	}
	r.Finished = time.Now()
}
