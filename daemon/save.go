package daemon

import (
	"context"
	"time"

	"sparkd"
	"sparkd/store"
)

// save stores the rollout as it is and calls then behind it. One state of a rollout is on its way at a time, and the
// next one is read when it goes, so that the newest is stored last. While the disk does not take it, it is tried again;
// then is called with the error only where a shutdown ends that, or nothing can help.
func (q *queue) save(j *job, then ...func(error)) {
	j.then = append(j.then, then...)
	if j.writing {
		j.again = true
		return
	}
	j.writing, j.again, j.saved = true, false, time.Now()
	behind := j.then
	j.then = nil
	r := j.state()
	if j.last != nil {
		r = *j.last
	}
	q.writes++
	go func() {
		err := put(context.Background(), q.store, r)
		q.do(func() { q.stored(j, err, behind) })
	}()
}

// stored goes on behind a state that is stored, or could not be.
func (q *queue) stored(j *job, err error, then []func(error)) {
	q.writes--
	q.storeErr, j.stuck = err, err
	switch {
	case err == nil && j.failed > 0:
		q.log.Info().Str("rollout", j.rollout.ID).Msg("the state of a rollout is stored after all")
	case err != nil && j.failed == 0:
		q.log.Error().Err(err).Str("rollout", j.rollout.ID).Msg("the state of a rollout could not be stored")
	}
	if waits(err) && !closed(q.draining) {
		j.then = append(then, j.then...)
		j.retrying = time.AfterFunc(pause(j.failed), func() { q.do(func() { q.retry(j) }) })
		j.failed++
		return
	}
	j.writing, j.failed = false, 0
	for _, f := range then {
		f(err)
	}
	if j.again {
		q.save(j)
	}
}

// retry tries again to store a state that waits for it.
func (q *queue) retry(j *job) {
	if j.retrying == nil {
		return
	}
	j.retrying.Stop()
	j.retrying, j.writing = nil, false
	q.save(j)
}

// waits reports whether what could not be stored can be later: the disk is full or failed, nothing else is wrong.
func waits(err error) bool { return sparkd.CodeOf(err) == sparkd.CodeStore }

// pause is how long to wait behind a number of failures in a row.
func pause(failed int) time.Duration {
	return min(100*time.Millisecond<<min(failed, 10), 10*time.Second)
}

// closed reports whether c is.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// put stores the state of a rollout. One that was canceled leaves no tree growing: those that an earlier run began, and
// that this one did not take up again, end with it.
func put(ctx context.Context, s *store.Store, r sparkd.Rollout) error {
	if r.State == sparkd.RolloutCanceled {
		r.Done, r.Failed, r.Stats = 0, 0, sparkd.Stats{}
		for _, id := range r.Trees {
			tree, err := ended(ctx, s, id)
			switch {
			case err == nil:
				tally(&r, tree)
			case sparkd.CodeOf(err) != sparkd.CodeNotFound && sparkd.CodeOf(err) != sparkd.CodeDamaged:
				return err
			}
		}
	}
	return s.PutRollout(ctx, r)
}

// ended returns a tree of a canceled rollout, without nodes, and ends it where it grows.
func ended(ctx context.Context, s *store.Store, id string) (*sparkd.Tree, error) {
	tree, err := s.Head(ctx, id)
	if err != nil || tree.State != sparkd.TreeGrowing {
		return tree, err
	}
	if tree, err = s.Tree(ctx, id); err != nil {
		return nil, err
	}
	tree.State, tree.Finished = sparkd.TreeCanceled, time.Now()
	return tree, s.PutRound(ctx, tree, len(tree.Nodes))
}

// tally adds a tree that ended to the counters of its rollout.
func tally(r *sparkd.Rollout, tree *sparkd.Tree) {
	switch tree.State {
	case sparkd.TreeDone:
		r.Done++
	case sparkd.TreeFailed:
		r.Failed++
	}
	r.Stats.Add(tree.Stats)
}
