package worker

import (
	"bytes"
	"context"

	"sparkd"
)

// forker is a copy in a worker that forks. Its fork lives in the same worker where that
// has a place, and is rebuilt on its first use where it has none.
type forker struct{ *env }

// Fork returns an independent copy of the current state.
func (f forker) Fork(ctx context.Context) (sparkd.Env, error) {
	if err := f.playing(ctx); err != nil {
		return nil, err
	}
	child := &env{pool: f.pool, path: f.path.fork()}
	if !f.pool.seated(f.env) {
		return forker{child}, nil
	}
	err := f.use(ctx, true, func(pl *place) error {
		to := f.pool.beside(pl, child)
		if to == nil {
			return nil
		}
		_, err := ask(ctx, pl, request{Op: "fork", To: to.session}, parseNothing)
		if err == nil {
			to.on = pl.on
		}
		return f.pool.giveBack(to, err)
	})
	if err != nil {
		return nil, err
	}
	return forker{child}, nil
}

// snapshotter is a copy in a worker that can write states down.
type snapshotter struct{ *env }

// Snapshot returns the current state.
func (s snapshotter) Snapshot(ctx context.Context) ([]byte, error) {
	if err := s.playing(ctx); err != nil {
		return nil, err
	}
	if s.path.state != nil && len(s.path.actions) == 0 {
		return bytes.Clone(s.path.state), nil
	}
	var state []byte
	err := s.use(ctx, true, func(pl *place) (err error) {
		state, err = ask(ctx, pl, request{Op: "snapshot"}, parseState)
		return err
	})
	if err == nil {
		s.path = path{task: s.path.task, state: bytes.Clone(state)}
	}
	return state, err
}

// Restore puts the copy into a state of a task.
func (s snapshotter) Restore(ctx context.Context, t sparkd.Task, state []byte) error {
	err := s.anew(ctx, t, func(pl *place) error { return restore(ctx, pl, t, state) })
	if err == nil {
		s.path, s.done = path{task: t, state: bytes.Clone(state)}, false
	}
	return err
}

func restore(ctx context.Context, pl *place, t sparkd.Task, state []byte) error {
	_, err := ask(ctx, pl, request{Op: "restore", Task: taskOf(t), State: state}, parseNothing)
	return err
}
