package daemon

import (
	"context"

	"sparkd"
	"sparkd/daemon/schedule"
)

// claim waits until nobody else submits the id and takes it: an id that is asked for twice
// at once is created once. release gives it back.
func (q *queue) claim(ctx context.Context, id string) (release func(), err error) {
	for {
		var taken chan struct{}
		mine := make(chan struct{})
		if !q.do(func() {
			if taken = q.claims[id]; taken == nil {
				q.claims[id] = mine
			}
		}) {
			return nil, errDraining
		}
		if taken == nil {
			return func() { q.do(func() { delete(q.claims, id) }); close(mine) }, nil
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reserve takes a place for a rollout that is about to be stored; created gives it back.
func (q *queue) reserve() error {
	err := error(errDraining)
	q.do(func() {
		err = nil
		if taken, ok := q.scheduler.Reserve(); !ok {
			err = sparkd.NewError(sparkd.CodeQueueFull, "", "try again later, or raise daemon.queue",
				"%d rollouts wait already", taken)
		}
	})
	return err
}

// created queues a rollout with a place, or takes the place back where it could not be stored.
func (q *queue) created(j *job, err error) {
	q.do(func() {
		q.storeErr = err
		q.scheduler.Release()
		if err == nil {
			q.submit(j)
		}
	})
}

// adopt queues a rollout of an earlier run.
func (q *queue) adopt(j *job) { q.do(func() { q.submit(j) }) }

// submit is called by run.
func (q *queue) submit(j *job) {
	r := &j.rollout
	q.jobs[r.ID] = j
	q.scheduler.Submit(schedule.Rollout{ID: r.ID, Trees: j.waiting, Running: r.State == sparkd.RolloutRunning})
}

// cancel ends a rollout and returns when its last state is stored. One that a shutdown has cut, or whose last state the
// store does not take, is not canceled yet, and the error says so.
func (q *queue) cancel(ctx context.Context, id string) error {
	err := error(errDraining)
	var j *job
	q.do(func() {
		err, j = nil, q.jobs[id]
		if j == nil || j.last != nil {
			return
		}
		if context.Cause(j.ctx) == errDraining || !q.scheduler.Cancel(id) {
			err = errDraining
		}
	})
	if err != nil || j == nil {
		return err
	}
	select {
	case <-q.when(func() bool { return j.stuck != nil || closed(j.ended) }):
	case <-ctx.Done():
		err = ctx.Err()
	}
	r, _, live := q.live(id)
	switch {
	case live && r.Error != nil:
		return sparkd.NewError(sparkd.CodeUnavailable, "", "free or repair the disk, and ask again",
			"rollout %s stops; that it is canceled could not be stored: %s", id, r.Error.Message).Because(r.Error)
	case live && err == nil:
		return errDraining
	}
	return err
}

// live returns a rollout that has not ended, with its counters of this moment. Of one that is ending all that is left
// is that its last state is stored.
func (q *queue) live(id string) (r sparkd.Rollout, ending, ok bool) {
	q.do(func() {
		var j *job
		if j, ok = q.jobs[id]; ok {
			r, ending = j.snapshot(), j.last != nil
		}
	})
	return r, ending, ok
}

// ending returns a channel that is closed when a rollout of the queue has ended, or does so in a later run.
func (q *queue) ending(id string) (ended <-chan struct{}, ok bool) {
	q.do(func() {
		var j *job
		if j, ok = q.jobs[id]; ok {
			ended = j.ended
		}
	})
	return ended, ok
}

// status is how the queue stands.
type status struct {
	queued, running, growing int
	refused                  error // why no rollout is accepted; nil while they are
	ready                    error // the same, and whether what is accepted could be stored
}

func (q *queue) status() status {
	s := status{refused: errDraining, ready: errDraining}
	q.do(func() {
		s.queued, s.running, s.growing = q.scheduler.Counts()
		s.refused, s.ready = q.refused(), q.ready()
	})
	return s
}

func (q *queue) refused() error {
	switch {
	case closed(q.draining):
		return errDraining
	case q.offline:
		return errOffline
	}
	return nil
}

func (q *queue) ready() error {
	switch err := q.refused(); {
	case err != nil:
		return err
	case !q.open:
		return sparkd.NewError(sparkd.CodeUnavailable, "", "try again in a moment", "sparkd is starting")
	case q.storeErr != nil:
		e := *sparkd.AsError(q.storeErr)
		e.Code = sparkd.CodeUnavailable
		return &e
	}
	return nil
}

var errOffline = sparkd.NewError(sparkd.CodeUnavailable, "", "start one with sparkd serve",
	"no engine is loaded: what is stored can only be read")
