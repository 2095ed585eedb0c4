// Package session is the environment that the trainer's own process drives. A [Session] turns the calls of the
// sampler into a list that the client asks for, and the client's answers into observations. Whoever is silent too
// long is lost: its calls fail, and with them the branches that wait for them.
package session

import (
	"context"
	"slices"
	"sync"
	"time"

	"sparkd"
)

// Session is one client and its copies of the environment. It is safe for concurrent use.
type Session struct {
	mu         sync.Mutex // guards what follows
	fork       string
	step, idle time.Duration
	calls      uint64 // id of the newest call
	copies     int    // opened so far
	open       []pending
	wake       chan struct{} // closed and replaced when there is something to fetch
	polls      int           // fetches that wait
	silence    *time.Timer   // runs while nobody fetches; then the client is lost
	lost       bool
	ended      bool
}

// pending is a call without an answer.
type pending struct {
	sparkd.EnvCall
	answer chan result // nil for a close, which waits for none
}

type result struct {
	sparkd.EnvAnswer
	err error
}

// New begins a session. A client that never comes is lost after the idle timeout. Ids of
// calls begin with the microseconds of the clock, so that an answer to a call from before
// a restart of the daemon is never taken for one to a call of now.
func New(spec *sparkd.SessionSpec) *Session {
	s := &Session{calls: uint64(time.Now().UnixMicro()), wake: make(chan struct{})}
	s.mu.Lock() // the timer reads s
	defer s.mu.Unlock()
	s.agree(spec)
	s.silence = time.AfterFunc(s.idle, s.lose)
	return s
}

// Agree takes over what the client asks for: it came back to a session that a restart of
// the daemon had begun without it. Copies that are open stay as they are.
func (s *Session) Agree(spec *sparkd.SessionSpec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agree(spec)
	s.touch()
}

func (s *Session) agree(spec *sparkd.SessionSpec) {
	seconds := func(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }
	s.fork, s.step, s.idle = spec.Fork, seconds(spec.StepTimeout), seconds(spec.IdleTimeout)
}

// touch begins the time anew after which the client counts as lost; s.mu is held.
func (s *Session) touch() {
	s.lost = false
	if s.polls == 0 && !s.ended {
		s.silence.Reset(s.idle)
	}
}

// Fetch returns the calls behind the id after that wait for an answer, in order. If there is none it waits until
// there is, until ctx ends, which is no error, or until the session ends; it reports whether that was so. What was
// fetched and not answered can be fetched again; a close is gone once after has passed it.
func (s *Session) Fetch(ctx context.Context, after uint64) (calls []sparkd.EnvCall, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls++
	s.lost = false
	s.silence.Stop()
	defer func() {
		s.polls--
		s.touch()
	}()
	for {
		for _, p := range s.open {
			if p.ID > after {
				calls = append(calls, p.EnvCall)
			}
		}
		if len(calls) > 0 || s.ended || ctx.Err() != nil {
			s.forgetCloses(after)
			return calls, s.ended
		}
		wake := s.wake
		s.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
}

// forgetCloses drops the closes that the client has heard of; s.mu is held.
func (s *Session) forgetCloses(heard uint64) {
	s.open = slices.DeleteFunc(s.open, func(p pending) bool { return p.answer == nil && p.ID <= heard })
}

// Answer takes the client's answers and returns the ids of those that nobody waits for any more.
func (s *Session) Answer(answers []sparkd.EnvAnswer) (stale []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch()
	for _, a := range answers {
		if p, ok := s.take(a.ID); ok {
			p.answer <- result{EnvAnswer: a}
		} else {
			stale = append(stale, a.ID)
		}
	}
	return stale
}

// take removes a call that waits for an answer; s.mu is held.
func (s *Session) take(id uint64) (pending, bool) {
	i := slices.IndexFunc(s.open, func(p pending) bool { return p.ID == id && p.answer != nil })
	if i < 0 {
		return pending{}, false
	}
	p := s.open[i]
	s.open = slices.Delete(s.open, i, i+1)
	return p, true
}

// End ends the session: its rollout has ended, or its client left. Closes can still be fetched.
func (s *Session) End() { s.fail(true) }

func (s *Session) lose() { s.fail(false) }

// fail fails all calls under way.
func (s *Session) fail(ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silence.Stop()
	s.ended = s.ended || ended
	s.lost = s.lost || !ended && s.polls == 0
	if err := s.broken(); err != nil {
		for _, p := range s.open {
			if p.answer != nil {
				p.answer <- result{err: err}
			}
		}
		s.open = slices.DeleteFunc(s.open, func(p pending) bool { return p.answer != nil })
	}
	s.signal()
}

// broken returns why no call can be made, or nil; s.mu is held.
func (s *Session) broken() error {
	switch {
	case s.ended:
		return sparkd.NewError(sparkd.CodeUnavailable, "", "open another one", "the session has ended")
	case s.lost:
		const remedy = "keep one request for calls under way, or raise idle_timeout"
		return sparkd.NewError(sparkd.CodeUnavailable, "", remedy, "the client was silent for %v", s.idle)
	}
	return nil
}

func (s *Session) signal() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// call puts a call on the list and waits for its answer.
func (s *Session) call(ctx context.Context, c sparkd.EnvCall) (sparkd.EnvAnswer, error) {
	s.mu.Lock()
	if err := s.broken(); err != nil {
		s.mu.Unlock()
		return sparkd.EnvAnswer{}, err
	}
	answer := make(chan result, 1) // which never blocks who brings it
	c.ID = s.list(pending{c, answer})
	most := s.step
	s.mu.Unlock()

	var err error
	select {
	case r := <-answer:
		if r.err == nil && r.Error != "" {
			r.err = sparkd.Errorf(sparkd.CodeEnv, "the client's environment failed: %s", r.Error)
		}
		return r.EnvAnswer, r.err
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(most):
		err = sparkd.NewError(sparkd.CodeDeadline, "", "raise step_timeout",
			"the client did not answer %s of copy %d within %v", c.Op, c.Copy, most)
	}
	s.mu.Lock()
	s.take(c.ID)
	s.mu.Unlock()
	return sparkd.EnvAnswer{}, err
}

// tell puts a call on the list that needs no answer.
func (s *Session) tell(c sparkd.EnvCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list(pending{EnvCall: c})
}

// list gives a call its id and puts it on the list; s.mu is held.
func (s *Session) list(p pending) uint64 {
	s.calls++
	p.ID = s.calls
	s.open = append(s.open, p)
	s.signal()
	return p.ID
}
