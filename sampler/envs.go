package sampler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
)

// envs opens, copies and closes the environments of one tree. Every call has a
// deadline, a panic is an error, and what was opened is closed.
type envs struct {
	opener  func(context.Context) (sparkd.Env, error)
	timeout time.Duration
	slots   chan struct{} // one per call under way

	mu      sync.Mutex
	open    map[*env]struct{} // guarded by mu
	closing sync.WaitGroup
}

// env is one copy of an environment.
type env struct {
	raw  sparkd.Env
	of   *envs
	busy chan struct{} // held during a call: one that outlives its deadline keeps close waiting
}

// maxCalls bounds the environment calls of one tree that are under way at a time.
const maxCalls = 16

func newEnvs(d Deps) *envs {
	return &envs{opener: d.OpenEnv, timeout: d.EnvTimeout, slots: make(chan struct{}, maxCalls),
		open: map[*env]struct{}{}}
}

// call runs f, one call of an environment, within the deadline.
func call[T any](ctx context.Context, s *envs, what string, f func(context.Context) (T, error)) (v T, err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return v, ctx.Err()
	}
	defer func() { <-s.slots }()
	v, err = within(ctx, s.timeout, f)
	if err == context.DeadlineExceeded && ctx.Err() == nil { // ours, not one that f met
		err = sparkd.NewError(sparkd.CodeDeadline, "sampler.env_timeout", "raise it, or find out why it takes so long",
			"the environment gave no answer to %s within %v", what, s.timeout).Because(err)
	}
	return v, err
}

// use is call for a method of the copy.
func use[T any](ctx context.Context, c *env, what string, f func(context.Context) (T, error)) (T, error) {
	return call(ctx, c.of, what, func(ctx context.Context) (T, error) {
		c.busy <- struct{}{}
		defer func() { <-c.busy }()
		return f(ctx)
	})
}

// own takes charge of an open environment.
func (s *envs) own(e sparkd.Env) *env {
	c := &env{raw: e, of: s, busy: make(chan struct{}, 1)}
	s.mu.Lock()
	s.open[c] = struct{}{}
	s.mu.Unlock()
	return c
}

// close closes the copy in the background; a second time does nothing. Nobody is told
// of an error: the copy is gone either way.
func (c *env) close() {
	s := c.of
	s.mu.Lock()
	_, open := s.open[c]
	delete(s.open, c)
	s.mu.Unlock()
	if !open {
		return
	}
	s.closing.Go(func() {
		_, _ = within(context.Background(), s.timeout, func(context.Context) (struct{}, error) {
			c.busy <- struct{}{}
			return struct{}{}, c.raw.Close()
		})
	})
}

// close closes whatever is still open, and waits.
func (s *envs) close() {
	s.mu.Lock()
	open := maps.Clone(s.open)
	s.mu.Unlock()
	for c := range open {
		c.close()
	}
	s.closing.Wait()
}

// fresh opens an environment that begin brings into a state.
func (s *envs) fresh(ctx context.Context, begin func(*env) error) (*env, error) {
	raw, err := call(ctx, s, "open", s.opener)
	if err != nil {
		return nil, err
	}
	c := s.own(raw)
	if err := begin(c); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// start opens an environment and resets it to the task.
func (s *envs) start(ctx context.Context, t sparkd.Task) (c *env, o sparkd.Observation, err error) {
	c, err = s.fresh(ctx, func(c *env) (err error) {
		o, err = c.reset(ctx, t)
		return err
	})
	return c, o, err
}

func (c *env) reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	return use(ctx, c, "reset", func(ctx context.Context) (sparkd.Observation, error) { return c.raw.Reset(ctx, t) })
}

func (c *env) step(ctx context.Context, action string) (sparkd.Observation, error) {
	return use(ctx, c, "step", func(ctx context.Context) (sparkd.Observation, error) { return c.raw.Step(ctx, action) })
}

// replay rebuilds the state at the end of a path of a tree, from a reset and the actions of its nodes. The goal must
// be the tree's and every observation the one that the path recorded; the first that is not ends the replay with
// CodeDiverged. It returns the steps it took in any case.
func (s *envs) replay(ctx context.Context, t *sparkd.Tree, path []*sparkd.Node) (c *env,
	o sparkd.Observation, steps int, err error) {
	c, err = s.fresh(ctx, func(c *env) (err error) {
		replay := c.replayStepwise
		if _, ok := c.raw.(sparkd.Replayer); ok && len(path) > 1 {
			replay = c.replayAtOnce
		}
		o, steps, err = replay(ctx, t, path)
		return err
	})
	return c, o, steps, err
}

func (c *env) replayStepwise(ctx context.Context, t *sparkd.Tree, path []*sparkd.Node) (o sparkd.Observation, steps int,
	err error) {
	for i, n := range path {
		if i == 0 {
			o, err = c.reset(ctx, t.Task)
		} else {
			o, err = c.step(ctx, n.Action)
			steps++
		}
		if err == nil {
			err = compare(t, path, i, &o)
		}
		if err != nil {
			return o, steps, err
		}
	}
	return o, steps, nil
}

func (c *env) replayAtOnce(ctx context.Context, t *sparkd.Tree, path []*sparkd.Node) (o sparkd.Observation, steps int,
	err error) {
	actions := make([]string, len(path)-1)
	for i, n := range path[1:] {
		actions[i] = n.Action
	}
	seen, err := use(ctx, c, "replay", func(ctx context.Context) ([]sparkd.Observation, error) {
		return c.raw.(sparkd.Replayer).Replay(ctx, t.Task, actions)
	})
	if err != nil {
		return o, 0, err
	}
	for i := range path {
		if i >= len(seen) {
			return o, max(0, len(seen)-1), diverged("a replay ended at step %d of %d", i-1, len(path)-1)
		}
		if err := compare(t, path, i, &seen[i]); err != nil {
			return o, max(0, len(seen)-1), err
		}
	}
	return seen[len(path)-1], len(actions), nil
}

// compare compares what a replay saw at step i of a path with what was seen there before. The goal is the reset's.
func compare(t *sparkd.Tree, path []*sparkd.Node, i int, o *sparkd.Observation) error {
	switch {
	case i == 0 && o.Goal != t.Goal:
		return diverged("a replay's reset gave another goal, %s instead of %s",
			excerpt.Line([]byte(o.Goal)), excerpt.Line([]byte(t.Goal)))
	case o.Hash() != path[i].ObsHash:
		return diverged("a replay gave another observation at step %d of %d", path[i].Depth, len(path)-1)
	}
	return nil
}

func diverged(format string, args ...any) error {
	return sparkd.NewError(sparkd.CodeDiverged, "", "make the environment repeat itself, or give it a way to fork",
		format, args...)
}

// place is a copy of the environment for one continuation, or why there is none.
type place struct {
	env    *env
	replay int // steps repeated to make it
	err    error
}

// restore opens a copy in a state that was written down.
func (s *envs) restore(ctx context.Context, t sparkd.Task, state []byte) (*env, error) {
	return s.fresh(ctx, func(c *env) error {
		into, ok := c.raw.(sparkd.Snapshotter)
		if !ok {
			return sparkd.Errorf(sparkd.CodeEnv,
				"a copy of the environment cannot take the state that another wrote down")
		}
		_, err := use(ctx, c, "restore", func(ctx context.Context) (struct{}, error) {
			return struct{}{}, into.Restore(ctx, t, state)
		})
		return err
	})
}

// copies returns k copies of the environment at the end of path: c itself, and k−1 more by forking where the
// environment can, by writing its state down once where it can do that, and else by replaying.
func (s *envs) copies(ctx context.Context, t *sparkd.Tree, path []*sparkd.Node, c *env, k int) []place {
	out := make([]place, k)
	out[0].env = c
	if f, ok := c.raw.(sparkd.Forker); ok {
		for i := 1; i < k; i++ {
			raw, err := use(ctx, c, "fork", f.Fork)
			if out[i].err = err; err == nil {
				out[i].env = s.own(raw)
			}
		}
		return out
	}
	from, snapshots := c.raw.(sparkd.Snapshotter)
	var state []byte
	var err error
	if snapshots && k > 1 {
		state, err = use(ctx, c, "snapshot", from.Snapshot)
	}
	each(k-1, func(i int) {
		switch p := &out[i+1]; {
		case err != nil:
			p.err = err
		case snapshots:
			p.env, p.err = s.restore(ctx, t.Task, state)
		default:
			p.env, _, p.replay, p.err = s.replay(ctx, t, path)
		}
	})
	return out
}

// within runs f under a deadline. If the deadline or ctx ends first, within returns its error at once and leaves f
// behind; what f returns too late is closed, if it can be. A panic of f becomes an error.
func within[T any](ctx context.Context, timeout time.Duration, f func(context.Context) (T, error)) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v", p)
			}
			done <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			r.err = ctx.Err() // however f words it
		}
		return r.value, r.err
	case <-ctx.Done():
		go func() {
			if late, ok := any((<-done).value).(io.Closer); ok {
				_ = late.Close()
			}
		}()
		return v, ctx.Err()
	}
}

// each runs f(0) … f(n−1) side by side and waits.
func each(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// envError gives an environment's error its code.
func envError(err error) *sparkd.Error { return coded(sparkd.CodeEnv, "the environment failed", err) }

// engineError gives an engine's error its code.
func engineError(err error) *sparkd.Error { return coded(sparkd.CodeEngine, "the engine failed", err) }

// coded returns err if it has a code, and else an error of the given code.
func coded(code sparkd.Code, what string, err error) *sparkd.Error {
	var e *sparkd.Error
	if errors.As(err, &e) {
		return e
	}
	return sparkd.Errorf(code, what+": %v", err)
}
