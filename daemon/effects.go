package daemon

import (
	"time"

	"sparkd"
)

var (
	// errDraining ends the growth of a tree in a shutdown.
	errDraining = sparkd.NewError(sparkd.CodeUnavailable, "", "try again when it runs", "sparkd is shutting down")
	// errCanceled ends the growth of the trees of a canceled rollout.
	errCanceled = sparkd.Errorf(sparkd.CodeUnavailable, "the rollout was canceled")
)

// Start implements schedule.Effects. The first tree of a rollout begins when it is stored that the rollout runs.
func (q *queue) Start(rollout string, tree int) {
	j := q.jobs[rollout]
	j.growing[tree] = sparkd.Stats{}
	grow := func(err error) {
		if err != nil {
			q.treeEnded(j, tree, nil)
			return
		}
		go func() {
			end := q.grow(q.growth(j, tree))
			q.do(func() { q.treeEnded(j, tree, end) })
		}()
	}
	if j.rollout.State != sparkd.RolloutQueued {
		grow(nil)
		return
	}
	j.rollout.State, j.rollout.Started = sparkd.RolloutRunning, time.Now()
	q.save(j, grow)
}

// growth describes the i-th tree of a job for a grower.
func (q *queue) growth(j *job, i int) *growth {
	r := &j.rollout
	return &growth{
		ctx: j.ctx, rollout: r.ID, spec: &r.Spec, task: j.tasks[i], tree: r.Trees[i], draining: q.draining,
		committed: func(s sparkd.Stats, err error) {
			q.do(func() {
				if q.storeErr, j.stuck = err, err; err == nil {
					j.growing[i] = s
				}
			})
		},
	}
}

// Stop implements schedule.Effects.
func (q *queue) Stop(rollout string) { q.jobs[rollout].stop(errCanceled) }

// Finish implements schedule.Effects: the rollout gets its last state. It has ended when that is stored, and a
// shutdown before leaves it to the next start.
func (q *queue) Finish(rollout string) {
	j := q.jobs[rollout]
	j.finish()
	q.save(j, func(err error) {
		r := j.last
		if err == nil {
			q.metrics.rollouts.WithLabelValues(string(r.State)).Inc()
			q.log.Info().Str("rollout", r.ID).Str("state", string(r.State)).
				Int("trees", r.Done).Int("failed", r.Failed).Msg("a rollout ended")
			delete(q.jobs, r.ID)
		}
		j.stop(nil)
		close(j.ended)
		q.sessions.end(r.ID)
		q.scheduler.Finished()
	})
}

// saveEvery is how old the stored counters of a running rollout may be. They are for
// readers of a store without a daemon: recovery counts the trees.
const saveEvery = time.Second

// treeEnded books the end of a job's tree; nil is one that a shutdown cut.
func (q *queue) treeEnded(j *job, i int, tree *sparkd.Tree) {
	if tree != nil {
		q.metrics.trees.WithLabelValues(string(tree.State)).Inc()
	}
	j.book(i, tree)
	q.scheduler.TreeEnded(j.rollout.ID, tree == nil)
	if j.last == nil && time.Since(j.saved) >= saveEvery {
		q.save(j)
	}
}
