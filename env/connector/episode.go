package connector

import (
	"context"

	"sparkd"
)

// Episode keeps the order of calls of an environment: a Reset, then steps up to the
// end, and after a Close nothing more. Its zero value waits for a Reset.
type Episode struct {
	state  episodeState
	closed bool
}

type episodeState int

const (
	idle episodeState = iota
	running
	over
	broken
)

var errClosed = sparkd.NewError(sparkd.CodeEnv, "", "open another copy", "the environment is closed")

// Begin returns the server's number of a task that a Reset is to start.
func (e *Episode) Begin(ctx context.Context, splits Splits, t sparkd.Task) (number int, err error) {
	if e.closed {
		return 0, errClosed
	}
	if number, err = splits.Number(t); err == nil {
		err = ctx.Err()
	}
	return number, err
}

// Stepping returns an error unless a step may come now.
func (e *Episode) Stepping(ctx context.Context) error {
	switch {
	case e.closed:
		return errClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case e.state == idle:
		return sparkd.NewError(sparkd.CodeEnv, "", "call Reset first", "no task has been started")
	case e.state == over:
		return sparkd.NewError(sparkd.CodeEnv, "", "call Reset to start another", "the episode is over")
	case e.state == broken:
		return sparkd.NewError(sparkd.CodeEnv, "", "call Reset to start another", "an error cut the episode off")
	}
	return nil
}

// Seen notes the outcome of a Reset or a step: after an error the state of the server is
// not known, and only a Reset helps.
func (e *Episode) Seen(o sparkd.Observation, err error) (sparkd.Observation, error) {
	switch {
	case err != nil:
		e.state = broken
	case o.Done:
		e.state = over
	default:
		e.state = running
	}
	return o, err
}

// Close ends the environment and reports whether it was still open.
func (e *Episode) Close() bool {
	open := !e.closed
	e.closed = true
	return open
}

// Broken says whether an error cut the episode off.
func (e *Episode) Broken() bool { return e.state == broken }
