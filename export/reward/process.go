package reward

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
	"sparkd/internal/oneline"
)

const (
	maxLine  = 1 << 20     // bytes of an answer
	drain    = time.Second // for a rule that is about to end
	protocol = `let it write {"id":…,"reward":…} for every line it reads, flush it, and write everything else to stderr`
)

// process is one run of the rule.
type process struct {
	*jsonlines.Process
	o *Options
}

// launch starts the rule. It ends with ctx.
func launch(ctx context.Context, o *Options) (*process, error) {
	p, err := jsonlines.Start(jsonlines.Options{Command: o.Command, MaxLine: maxLine, Log: o.Log, Keep: 1,
		Env: append(os.Environ(), "PYTHONUNBUFFERED=1")}) // print is enough in Python
	if err != nil {
		e := invalid("name a program that can be run; no shell reads the command",
			"cannot start %q: %v", o.Command[0], err)
		e.Err = err
		return nil, e
	}
	context.AfterFunc(ctx, func() { p.End(0) })
	return &process{p, o}, nil
}

// ask sends the trajectories that end at leaves and returns an answer for each. After an
// error the process is of no more use.
func (p *process) ask(ctx context.Context, t *sparkd.Tree, leaves []*sparkd.Node) ([]answer, error) {
	sent := make(chan error, 1)
	go func() { sent <- p.send(t, leaves) }() // ends with the process at the latest
	answers := make([]answer, 0, len(leaves))
	deadline := time.NewTimer(p.o.Timeout)
	defer deadline.Stop()
	for writing := true; writing || len(answers) < len(leaves); {
		select {
		case err := <-sent:
			if writing = false; err != nil {
				return nil, p.over()
			}
		case line, ok := <-p.Lines:
			switch {
			case !ok && p.End(p.o.Timeout):
				return nil, p.ended()
			case !ok:
				return nil, p.late()
			case len(answers) == len(leaves):
				return nil, invalid(protocol, "the rule wrote more lines than it was asked for: %s", excerpt.Line(line))
			}
			a, err := parse(line, t, leaves[len(answers)])
			if err != nil {
				return nil, err
			}
			answers = append(answers, a)
			deadline.Reset(p.o.Timeout)
		case <-deadline.C:
			return nil, p.late()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answers, nil
}

// send writes one trajectory after the other, so that only one is in memory as text.
func (p *process) send(t *sparkd.Tree, leaves []*sparkd.Node) error {
	w := bufio.NewWriterSize(p.Process, 64<<10)
	e := oneline.NewEncoder(w)
	for _, leaf := range leaves {
		if err := e.Encode(trajectoryOf(t, leaf)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// over says how a rule ended that takes no more.
func (p *process) over() error {
	if p.End(drain) {
		return p.ended()
	}
	return invalid(protocol, "the rule closed its input and ran on%s", p.Tail.Words())
}

func (p *process) ended() error {
	return invalid("see what it wrote to stderr; it is to run until its input ends",
		"the rule ended before it had answered: %v%s", p.State, p.Tail.Words())
}

func (p *process) late() error {
	return &sparkd.Error{Code: sparkd.CodeDeadline, Field: "reward_cmd",
		Remedy:  "let it flush every answer, and answer sooner",
		Message: fmt.Sprintf("the rule gave no answer to a trajectory within %v", p.o.Timeout)}
}

// close ends the rule's input and waits until it ends.
func (p *process) close() error {
	_ = p.CloseInput()
	timer := time.NewTimer(p.o.Timeout)
	defer timer.Stop()
	var unasked error
	for reading := true; reading; {
		select {
		case line, ok := <-p.Lines:
			if reading = ok; ok && unasked == nil {
				unasked = invalid(protocol, "the rule wrote more lines than it was asked for: %s", excerpt.Line(line))
			}
		case <-timer.C:
			reading = false
		}
	}
	itself := p.End(drain)
	switch {
	case !itself:
		return invalid("let it end when its input does", "the rule did not end within %v of its input", p.o.Timeout)
	case unasked == nil && !p.State.Success():
		return invalid("see what it wrote to stderr", "the rule failed at its end: %v%s", p.State, p.Tail.Words())
	}
	return unasked
}
