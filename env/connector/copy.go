package connector

import (
	"context"

	"sparkd"
)

// Copy is the part of a copy that all kinds of servers have in common, to be embedded in theirs: the order of its
// calls, and the place that it holds until it is closed. It implements sparkd.Env by a [Remote].
type Copy struct {
	Episode
	server *Server
	remote Remote
}

// Remote is what a copy does at its server. It is called in the order of an [Episode].
type Remote interface {
	// Start starts the task that has this number at the server.
	Start(ctx context.Context, t sparkd.Task, number int) (sparkd.Observation, error)
	// Act sends an action.
	Act(ctx context.Context, action string) (sparkd.Observation, error)
	// End gives up what the copy holds at the server.
	End() error
}

// Fresh makes ready a copy, which embeds a Copy, as soon as there is a place for it.
func (s *Server) Fresh(ctx context.Context, e interface {
	sparkd.Env
	Remote
	Self() *Copy
}) (sparkd.Env, error) {
	if err := s.Places.Take(ctx); err != nil {
		return nil, err
	}
	*e.Self() = Copy{server: s, remote: e}
	return e, nil
}

// Self is the Copy that a copy of an environment embeds.
func (c *Copy) Self() *Copy { return c }

// Reset starts the task whose number at the server is that of its split.
func (c *Copy) Reset(ctx context.Context, t sparkd.Task) (o sparkd.Observation, err error) {
	number, err := c.Begin(ctx, c.server.Splits, t)
	if err == nil {
		o, err = c.remote.Start(ctx, t, number)
	}
	return c.Seen(o, err)
}

// Step sends an action.
func (c *Copy) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	if err := c.Stepping(ctx); err != nil {
		return sparkd.Observation{}, err
	}
	return c.Seen(c.remote.Act(ctx, action))
}

// Close ends the copy and gives its place free.
func (c *Copy) Close() error {
	if !c.Episode.Close() {
		return nil
	}
	defer c.server.Places.Free()
	return c.remote.End()
}
