package session

import (
	"context"
	"slices"

	"sparkd"
	"sparkd/env/connector"
)

// tasks are the client's own: an index means what the client makes of it.
var tasks = connector.Splits{"train": {Count: sparkd.Unbounded}, "eval": {Count: sparkd.Unbounded}}

// Remote is the source of sessions: it describes them, and each opens its own copies.
type Remote struct{}

// Info describes the environment: its tasks are the client's, an index says which.
func (Remote) Info() sparkd.EnvInfo {
	return sparkd.EnvInfo{
		Name: sparkd.EnvClient, Splits: tasks.Sizes(), Fork: sparkd.ForkReplay,
		About: "the client of a session drives its own environment: POST /v1/sessions",
	}
}

// Open fails: a copy belongs to a session.
func (Remote) Open(context.Context) (sparkd.Env, error) {
	return nil, sparkd.Invalid("tasks.env", "POST /v1/sessions with it",
		"the environment %q needs a session", sparkd.EnvClient)
}

// Close does nothing.
func (Remote) Close() error { return nil }

// env is one copy, by its number. After a call that failed the client's side of it is in a state that nobody knows.
type env struct {
	*Session
	copy    int
	used    bool // the client has heard of it
	episode connector.Episode
}

type forkingEnv struct{ *env }

// Open returns a fresh copy, which the client hears of with its first call.
func (s *Session) Open(context.Context) (sparkd.Env, error) { return s.fresh(), nil }

func (s *Session) fresh() sparkd.Env {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.copies++
	e := &env{Session: s, copy: s.copies}
	if s.fork == sparkd.ForkNative {
		return forkingEnv{e}
	}
	return e
}

func (e *env) Reset(ctx context.Context, t sparkd.Task) (sparkd.Observation, error) {
	if err := e.begin(ctx, t); err != nil {
		return sparkd.Observation{}, err
	}
	return e.observe(ctx, sparkd.EnvCall{Op: "reset", Task: &t})
}

// begin checks that a task can be started.
func (e *env) begin(ctx context.Context, t sparkd.Task) error {
	_, err := e.episode.Begin(ctx, tasks, t)
	e.used = e.used || err == nil
	return err
}

func (e *env) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	if err := e.episode.Stepping(ctx); err != nil {
		return sparkd.Observation{}, err
	}
	return e.observe(ctx, sparkd.EnvCall{Op: "step", Action: &action})
}

func (e *env) observe(ctx context.Context, c sparkd.EnvCall) (sparkd.Observation, error) {
	c.Copy = e.copy
	a, err := e.call(ctx, c)
	if err == nil && a.Observation == nil {
		err = sparkd.Errorf(sparkd.CodeEnv, "the client answered %s of copy %d without an observation", c.Op, c.Copy)
	}
	if err != nil {
		return e.episode.Seen(sparkd.Observation{}, err)
	}
	return e.episode.Seen(tidy(*a.Observation), nil)
}

// tidy gives an observation the form that all environments have.
func tidy(o sparkd.Observation) sparkd.Observation {
	slices.Sort(o.Admissible)
	o.Success = o.Done && o.Success
	return o
}

// Replay implements sparkd.Replayer: one round trip rebuilds a state.
func (e *env) Replay(ctx context.Context, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	if err := e.begin(ctx, t); err != nil {
		return nil, err
	}
	a, err := e.call(ctx, sparkd.EnvCall{Copy: e.copy, Op: "replay", Task: &t,
		Actions: append([]string{}, actions...)})
	seen := a.Observations
	if end := slices.IndexFunc(seen, func(o sparkd.Observation) bool { return o.Done }); end >= 0 {
		seen = seen[:end+1] // some play on
	} else if err == nil && len(seen) != len(actions)+1 {
		err = sparkd.Errorf(sparkd.CodeEnv,
			"the client answered a replay of %d actions by %d observations; it takes one of the reset and one of "+
				"each action", len(actions), len(seen))
	}
	if err != nil {
		_, err = e.episode.Seen(sparkd.Observation{}, err)
		return nil, err
	}
	for i := range seen {
		seen[i] = tidy(seen[i])
	}
	_, err = e.episode.Seen(seen[len(seen)-1], nil)
	return seen, err
}

// Close tells the client that the copy is not needed any more.
func (e *env) Close() error {
	if e.used {
		e.used = false
		e.tell(sparkd.EnvCall{Copy: e.copy, Op: "close"})
	}
	return nil
}

// Fork implements sparkd.Forker for clients that can copy their environments.
func (e forkingEnv) Fork(ctx context.Context) (sparkd.Env, error) {
	if err := e.episode.Stepping(ctx); err != nil {
		return nil, err
	}
	c, ok := e.fresh().(forkingEnv)
	if !ok { // the client came back without that ability
		return nil, sparkd.Errorf(sparkd.CodeEnv, "the client does not copy its environments any more")
	}
	c.used, c.episode = true, e.episode
	if _, err := e.call(ctx, sparkd.EnvCall{Copy: c.copy, Op: "fork", From: e.copy}); err != nil {
		_ = c.Close() // the client may have made it
		return nil, err
	}
	return c, nil
}
