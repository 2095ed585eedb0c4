package daemon

import (
	"context"
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
	grow := func(error) {
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
		ctx: j.ctx, rollout: r.ID, spec: &r.Spec, task: j.tasks[i], tree: r.Trees[i], draining: &q.draining,
		committed: func(s sparkd.Stats, err error) {
			q.do(func() {
				q.storeErr = err
				if err == nil {
					j.growing[i] = s
				}
			})
		},
	}
}

// Stop implements schedule.Effects.
func (q *queue) Stop(rollout string) { q.jobs[rollout].stop(errCanceled) }

// Finish implements schedule.Effects: the rollout gets its last state, and who waits for it
// is woken when that is stored.
func (q *queue) Finish(rollout string) {
	j := q.jobs[rollout]
	j.finish()
	q.metrics.rollouts.WithLabelValues(string(j.rollout.State)).Inc()
	q.save(j, func(err error) {
		r := &j.rollout
		q.log.Info().Str("rollout", r.ID).Str("state", string(r.State)).
			Int("trees", r.Done).Int("failed", r.Failed).Msg("a rollout ended")
		if err == nil { // otherwise readers still find it here
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
	if !j.rollout.State.Ended() && time.Since(j.saved) >= saveEvery {
		q.save(j)
	}
}

// save stores the rollout as it is and calls then behind it. One state of a rollout is on its way at a time, and
// the next one is read when it goes, so that the newest is stored last. An error is logged and shown by Ready; the
// next save, or the recovery after a restart, makes up for it.
func (q *queue) save(j *job, then ...func(error)) {
	j.then = append(j.then, then...)
	if j.writing {
		j.again = true
		return
	}
	j.writing, j.again, j.saved = true, false, time.Now()
	stored := j.then
	j.then = nil
	r := j.snapshot()
	q.writes++
	go func() {
		err := q.store.PutRollout(context.Background(), r)
		if err != nil {
			q.log.Error().Err(err).Str("rollout", r.ID).Msg("the state of a rollout could not be stored")
		}
		q.do(func() { q.saved(j, err, stored) })
	}()
}

// saved goes on behind a state that is stored, or could not be.
func (q *queue) saved(j *job, err error, then []func(error)) {
	q.writes--
	q.storeErr = err
	j.writing = false
	for _, f := range then {
		f(err)
	}
	if j.again {
		q.save(j)
	}
}
