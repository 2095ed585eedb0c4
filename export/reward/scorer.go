package reward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"sparkd"
)

// Options say how a rule is run. Zero values ask for the defaults.
type Options struct {
	Command  []string          // program and arguments; see Words
	Timeout  time.Duration     // for each answer, and for the end of the rule; default 30 s
	Restarts int               // how often a rule that failed for a tree is started again; default 3, -1: never
	Log      func(line string) // takes the lines of stderr, from another goroutine; default: nobody
}

// Scorer is a running rule. It is used by one goroutine at a time.
type Scorer struct {
	ctx context.Context // the life of the rule
	o   Options
	p   *process // nil after a failure

	failed int // trees in a row that the rule failed for
	closed bool
}

// Start starts the rule; when ctx ends so does it. An error is of code invalid, about the field "reward_cmd".
func Start(ctx context.Context, o Options) (*Scorer, error) {
	switch {
	case len(o.Command) == 0 || o.Command[0] == "":
		return nil, invalid("name a program, for example python3 rule.py", "no program is named")
	case o.Timeout < 0:
		return nil, sparkd.Invalid("reward_timeout", "use a positive duration, for example 30s",
			"%v is negative", o.Timeout)
	}
	o.Timeout, o.Restarts = cmp.Or(o.Timeout, 30*time.Second), cmp.Or(o.Restarts, 3)
	if o.Log == nil {
		o.Log = func(string) {}
	}
	s := &Scorer{ctx: ctx, o: o}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// Rescore returns a copy of t with the rule's rewards. Every trajectory that ended gets its own; steps that none
// of them takes, and failed branches, get 0, and outcomes stay. Tokens and texts are shared with t.
//
// A rule that ends, is late or answers anything but what it was asked is started again and gets all trajectories
// of the tree anew. The error that remains is of code invalid, or deadline, about "reward_cmd". The next tree can
// do better; but after as many trees in a row as the rule is started for one, it is not started any more.
func (s *Scorer) Rescore(ctx context.Context, t *sparkd.Tree) (*sparkd.Tree, error) {
	if s.closed {
		return nil, sparkd.Errorf(sparkd.CodeUnavailable, "the rule is closed")
	}
	asked := t.Ended()
	if len(asked) == 0 {
		return apply(t, nil, nil)
	}
	if s.failed > max(s.o.Restarts, 0) {
		return nil, invalid("see the errors before, and repair the rule",
			"tree %s: the rule failed for %d trees in a row and is not started any more", t.ID, s.failed)
	}
	answers, err := s.insist(ctx, t, asked)
	if err != nil {
		return nil, err
	}
	return apply(t, asked, answers)
}

// insist asks the rule, which is started when it does not run, and again when it fails.
func (s *Scorer) insist(ctx context.Context, t *sparkd.Tree, leaves []*sparkd.Node) ([]answer, error) {
	for restarts := 0; ; restarts++ {
		var answers []answer
		err := s.start()
		if err == nil {
			answers, err = s.p.ask(ctx, t, leaves)
		}
		if err == nil {
			s.failed = 0
			return answers, nil
		}
		if s.p != nil {
			s.p.End(0)
			s.p = nil
		}
		if err := errors.Join(ctx.Err(), s.ctx.Err()); err != nil {
			return nil, sparkd.AsError(err)
		}
		if restarts >= s.o.Restarts {
			s.failed++
			e := *sparkd.AsError(err)
			e.Message = fmt.Sprintf("tree %s: %s", t.ID, e.Message)
			return nil, &e
		}
		s.o.Log(fmt.Sprintf("sparkd: %v; the rule is started again", err))
	}
}

// start starts the rule unless it runs.
func (s *Scorer) start() (err error) {
	if s.p == nil {
		s.p, err = launch(s.ctx, &s.o)
	}
	return err
}

// Close ends the rule's input and waits for it. A rule that then ends with a failure, does not end, or has written
// lines that nobody asked for is an error: what it answered before may be wrong too.
func (s *Scorer) Close() error {
	p := s.p
	s.p, s.closed = nil, true
	if p == nil {
		return nil
	}
	return p.close()
}

func invalid(remedy, format string, args ...any) *sparkd.Error {
	return sparkd.Invalid("reward_cmd", remedy, format, args...)
}
