package worker

import (
	"context"
	"slices"

	"sparkd"
)

// env is a copy of the environment. While it has no call under way its place may be
// taken; its path is what its state is rebuilt from.
type env struct {
	pool *pool
	path path
	done bool // the episode is over

	place *place // guarded by pool.mu; nil: its state is nowhere but in path
}

// path leads to a state: from the reset to the task, or from a snapshot, by actions. The zero path leads nowhere.
type path struct {
	task    sparkd.Task
	goal    string   // that the reset gave
	state   []byte   // snapshot it begins with; nil: a reset
	actions []string // since then
	hashes  []string // of their observations, after that of a reset
}

// fork returns a path that grows without changing p.
func (p *path) fork() path {
	c := *p
	c.actions, c.hashes = slices.Clip(c.actions), slices.Clip(c.hashes)
	return c
}

// attempts bounds how often a call that met only workers at their end is tried again. An end behind the call of another
// copy does not count: there are as many of these as such calls.
const attempts = 3

// use runs f, one or more calls, with a place of e. loaded says that f needs the state at the end of the path there.
func (e *env) use(ctx context.Context, loaded bool, f func(*place) error) error {
	var last *worker
	for ends := 0; ends < attempts; {
		pl, err := e.pool.take(ctx, e)
		if err != nil {
			return err
		}
		err = e.in(ctx, pl, loaded, f)
		w, session := pl.on, pl.session
		err = e.pool.giveBack(pl, err)
		if err != errGone {
			return err
		}
		if <-w.gone; w.last == "" || w.last == session {
			ends++
		}
		last = w
	}
	return last.untaken()
}

// in runs f in a place, after bringing the state there.
func (e *env) in(ctx context.Context, pl *place, loaded bool, f func(*place) error) error {
	w, err := e.pool.ready(ctx, pl.host)
	if err != nil {
		return err
	}
	lost := pl.on != w
	pl.on = w
	if loaded && lost {
		if err := e.rebuild(ctx, pl); err != nil {
			return err
		}
	}
	return f(pl)
}

// ask asks the worker of a place in its session.
func ask[T any](ctx context.Context, pl *place, r request, read func(ok []byte) (T, error)) (T, error) {
	r.Session = pl.session
	return query(ctx, pl.on, r, read)
}

// anew forgets the state and runs f, which brings e to one of task t.
func (e *env) anew(ctx context.Context, t sparkd.Task, f func(*place) error) error {
	e.path = path{}
	if err := e.pool.hello.has(t); err != nil {
		return err
	}
	return e.use(ctx, false, f)
}

// Reset starts the task.
func (e *env) Reset(ctx context.Context, t sparkd.Task) (o sparkd.Observation, err error) {
	err = e.anew(ctx, t, func(pl *place) (err error) {
		o, err = ask(ctx, pl, request{Op: "reset", Task: taskOf(t)}, parseObservation)
		return err
	})
	if err == nil {
		e.begin(t, &o)
	}
	return o, err
}

func (e *env) begin(t sparkd.Task, o *sparkd.Observation) {
	e.path, e.done = path{task: t, goal: o.Goal, hashes: []string{o.Hash()}}, o.Done
}

func (e *env) grow(action string, o *sparkd.Observation) {
	e.path.actions, e.path.hashes = append(e.path.actions, action), append(e.path.hashes, o.Hash())
	e.done = o.Done
}

// playing says what is wrong with stepping or copying this state, if anything.
func (e *env) playing(ctx context.Context) error {
	switch {
	case e.path.state == nil && e.path.hashes == nil:
		return sparkd.NewError(sparkd.CodeEnv, "", "call Reset first", "no episode has been started")
	case e.done:
		return sparkd.NewError(sparkd.CodeEnv, "", "call Reset to start another", "the episode is over")
	}
	return ctx.Err()
}

// Step applies an action.
func (e *env) Step(ctx context.Context, action string) (o sparkd.Observation, err error) {
	if err = e.playing(ctx); err != nil {
		return o, err
	}
	err = e.use(ctx, true, func(pl *place) (err error) {
		o, err = ask(ctx, pl, request{Op: "step", Action: &action}, parseObservation)
		return err
	})
	if err == nil {
		e.grow(action, &o)
	}
	return o, err
}

// Replay resets to the task and applies the actions, in one call where the worker can.
func (e *env) Replay(ctx context.Context, t sparkd.Task, actions []string) (seen []sparkd.Observation, err error) {
	err = e.anew(ctx, t, func(pl *place) (err error) {
		seen, err = replay(ctx, pl, t, actions)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.begin(t, &seen[0])
	for i := range seen[1:] {
		e.grow(actions[i], &seen[i+1])
	}
	return seen, nil
}

func replay(ctx context.Context, pl *place, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	if pl.on.hello.Replay {
		r := request{Op: "replay", Task: taskOf(t), Actions: append([]string{}, actions...)}
		parse := func(ok []byte) ([]sparkd.Observation, error) { return parseReplay(ok, len(actions)) }
		return ask(ctx, pl, r, parse)
	}
	o, err := ask(ctx, pl, request{Op: "reset", Task: taskOf(t)}, parseObservation)
	if err != nil {
		return nil, err
	}
	return repeat(ctx, pl, []sparkd.Observation{o}, actions)
}

// repeat applies actions one by one, as long as the episode goes on.
func repeat(ctx context.Context, pl *place, seen []sparkd.Observation, actions []string) ([]sparkd.Observation, error) {
	for i := range actions {
		if len(seen) > 0 && seen[len(seen)-1].Done {
			break
		}
		o, err := ask(ctx, pl, request{Op: "step", Action: &actions[i]}, parseObservation)
		if err != nil {
			return nil, err
		}
		seen = append(seen, o)
	}
	return seen, nil
}

// rebuild brings the state at the end of the path to a place.
func (e *env) rebuild(ctx context.Context, pl *place) (err error) {
	p := &e.path
	var seen []sparkd.Observation
	if p.state == nil {
		seen, err = replay(ctx, pl, p.task, p.actions)
	} else if err = restore(ctx, pl, p.task, p.state); err == nil {
		seen, err = repeat(ctx, pl, nil, p.actions)
	}
	if err != nil {
		return err
	}
	same := p.state != nil || seen[0].Goal == p.goal
	same = same && slices.EqualFunc(seen, p.hashes,
		func(o sparkd.Observation, hash string) bool { return o.Hash() == hash })
	e.pool.rebuilt(len(p.actions), same)
	if !same {
		return sparkd.NewError(sparkd.CodeDiverged, "", "make the environment repeat itself, or give it a way to fork",
			"a state could not be rebuilt: its %d actions gave other observations", len(p.actions))
	}
	return nil
}

// Close gives the copy's session back.
func (e *env) Close() error {
	e.path = path{}
	p := e.pool
	p.mu.Lock()
	pl := e.place
	if pl == nil {
		p.mu.Unlock()
		return nil
	}
	pl.busy = true // nobody else's before it is closed
	p.mu.Unlock()
	var err error
	if pl.on != nil && p.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(p.ctx, p.o.CallTimeout)
		defer cancel()
		_, err = ask(ctx, pl, request{Op: "close"}, parseNothing)
	}
	if err == nil {
		err = errGone // the place is nobody's in any case
	}
	_ = p.giveBack(pl, err)
	return nil
}
