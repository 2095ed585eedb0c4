package connector

import (
	"context"
	"time"

	"sparkd"
)

// DefaultPlaces is how many sessions an environment holds open where its section has no key workers.
const DefaultPlaces = 16

// Places bounds the sessions that are open at once.
type Places struct {
	field string
	taken chan struct{}
}

// Places reads the key workers of the section; 0 is DefaultPlaces.
func (s *Settings) Places(workers int) *Places {
	field := s.Section("workers")
	if workers < 0 || workers > 1<<16 {
		s.refuse(field, "write 1 to 65536", "%d is out of range", workers)
		workers = 0
	}
	if workers == 0 {
		workers = DefaultPlaces
	}
	return &Places{field: field, taken: make(chan struct{}, workers)}
}

// Take waits for a place. Where ctx has a deadline it gives up at nine tenths of the
// time left, so that its error, and not the deadline's, reaches the user.
func (p *Places) Take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait := ctx
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, time.Until(end)*9/10)
		defer cancel()
	}
	select {
	case p.taken <- struct{}{}:
		return nil
	default:
	}
	select {
	case p.taken <- struct{}{}:
		return nil
	case <-wait.Done():
	}
	if context.Cause(ctx) == context.Canceled {
		return ctx.Err()
	}
	remedy := "raise " + p.field + " to the copies that the trees hold at once (trees × leaves), or grow fewer trees"
	return sparkd.NewError(sparkd.CodeUnavailable, p.field, remedy, "all %d sessions are in use", cap(p.taken)).
		Because(wait.Err())
}

// Free gives a place back.
func (p *Places) Free() { <-p.taken }

// Held returns the places in use.
func (p *Places) Held() int { return len(p.taken) }
