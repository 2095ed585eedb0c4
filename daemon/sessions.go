package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/env/session"
)

// sessions are the clients that drive the environments of their rollouts.
type sessions struct {
	byRollout sync.Map // *session.Session by the id of the rollout
}

// open returns the session of a rollout. One that is new, after a restart for example,
// waits for its client as long as the timeouts of spec say.
func (s *sessions) open(id string, spec *sparkd.SessionSpec) (_ *session.Session, begun bool) {
	c := session.New(spec)
	known, loaded := s.byRollout.LoadOrStore(id, c)
	if loaded {
		c.End()
	}
	return known.(*session.Session), !loaded
}

func (s *sessions) find(id string) (*session.Session, bool) {
	c, ok := s.byRollout.Load(id)
	if !ok {
		return nil, false
	}
	return c.(*session.Session), true
}

// end ends the session of a rollout, if it has one.
func (s *sessions) end(id string) {
	if c, ok := s.byRollout.LoadAndDelete(id); ok {
		c.(*session.Session).End()
	}
}

// driving is the part of the API that clients with environments of their own use. Nothing in it changes.
type driving struct {
	sessions *sessions
	rollouts *rollouts
}

// OpenSession submits a rollout whose client drives the environments. A session whose
// rollout is known goes on, after a restart of either side too.
func (p *driving) OpenSession(ctx context.Context, s sparkd.SessionSpec) (sparkd.Rollout, bool, error) {
	if s.Rollout.ID == "" {
		s.Rollout.ID = sparkd.NewID(time.Now())
	}
	if asked := s.Rollout.MaxSteps; s.MaxSteps > 0 && asked <= sparkd.MaxDepth { // more is refused below
		s.Rollout.MaxSteps = min(asked, s.MaxSteps)
	}
	c, begun := p.sessions.open(s.Rollout.ID, &s)
	r, created, err := p.rollouts.submit(ctx, s.Rollout)
	switch {
	case begun && (err != nil || r.State.Ended()):
		p.sessions.end(s.Rollout.ID)
	case err == nil:
		c.Agree(&s)
	}
	var refused *sparkd.Error
	if errors.As(err, &refused) && refused.Field != "" {
		named := *refused
		named.Field = "rollout." + refused.Field // where it is in this request
		err = &named
	}
	return r, created, err
}

// SessionCalls waits for calls behind after and returns them with the rollout's state.
func (p *driving) SessionCalls(ctx context.Context, id string, after uint64) (api.SessionCalls, error) {
	out := api.SessionCalls{Calls: []sparkd.EnvCall{}}
	if c, ok := p.sessions.find(id); ok {
		if calls, _ := c.Fetch(ctx, after); calls != nil {
			out.Calls = calls
		}
	}
	r, err := p.driven(context.WithoutCancel(ctx), id)
	out.State = r.State
	return out, err
}

// SessionAnswers takes a client's answers and returns those that came too late.
func (p *driving) SessionAnswers(ctx context.Context, id string, answers []sparkd.EnvAnswer) (
	stale []uint64, err error,
) {
	if c, ok := p.sessions.find(id); ok {
		return c.Answer(answers), nil
	}
	for _, a := range answers {
		stale = append(stale, a.ID)
	}
	_, err = p.driven(ctx, id)
	return stale, err
}

// CloseSession ends a session: branches that still grow fail.
func (p *driving) CloseSession(ctx context.Context, id string) (sparkd.Rollout, error) {
	r, err := p.driven(ctx, id)
	if c, ok := p.sessions.find(id); ok && err == nil {
		c.End()
	}
	return r, err
}

// driven returns a rollout whose client drives the environments.
func (p *driving) driven(ctx context.Context, id string) (sparkd.Rollout, error) {
	r, err := p.rollouts.Rollout(ctx, id)
	if err == nil && r.Spec.Tasks.Env != sparkd.EnvClient {
		err = sparkd.NewError(sparkd.CodeNotFound, "", "POST /v1/sessions opens one", "rollout %s has no session", id)
	}
	return r, err
}
