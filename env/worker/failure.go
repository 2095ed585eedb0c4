package worker

import (
	"errors"
	"fmt"
	"time"

	"sparkd"
)

// tailLines is how many lines of stderr an error shows.
const tailLines = 5

// Why a worker came to its end; a breach is another reason.
var (
	errEnded   = errors.New("it ended") // or at least its stdout
	errStopped = errors.New("it was stopped")
	errGrown   = errors.New("it grew beyond its memory")
)

// late means that an answer took too long.
type late struct {
	op      string
	timeout time.Duration
}

func (l late) Error() string {
	return fmt.Sprintf("it gave no answer to %s within %v", l.op, l.timeout)
}

// huge means that a worker took far more memory than it may while it worked: so many bytes.
type huge int

func (h huge) Error() string { return fmt.Sprintf("it grew to %d MiB in one call", int(h)>>20) }

// failure words the end of the worker for whoever met it.
func (w *worker) failure(cause error) *sparkd.Error {
	e := sparkd.Errorf(sparkd.CodeEnv, "the worker %q failed: %v", w.o.Command[0], cause)
	switch c := cause.(type) {
	case late:
		e.Code, e.Field = sparkd.CodeDeadline, "sampler.env_timeout"
		e.Remedy = "raise it (a call of a worker may take half of it), or find out why it hangs"
		if c.op == "hello" {
			e.Field = w.o.field("command")
			e.Remedy = "make it answer hello on stdout, as docs/environments-reference.md has it"
		}
	case huge:
		e.Field, e.Remedy = w.o.field("memory"), "raise it, or find out why the worker grows"
	case breach, unasked:
		e.Field = w.o.field("command")
		e.Remedy = "let it write to stdout what docs/environments-reference.md has, and everything else to stderr"
	default:
		switch cause {
		case errEnded:
			e.Message = fmt.Sprintf("the worker %q ended: %v", w.o.Command[0], w.process.State)
			e.Field, e.Remedy = w.o.field("command"), "see what it wrote to stderr, in the log"
		case errStopped:
			return errClosed
		}
	}
	e.Message += w.process.Tail.Words()
	return e
}

// untaken words the end of a worker for a call that met only ends, of which this is the last.
func (w *worker) untaken() error {
	e := sparkd.NewError(sparkd.CodeEnv, w.o.field("command"), "see what it wrote to stderr, in the log",
		"the worker %q ended %d times before it took a call", w.o.Command[0], attempts).Because(errGone)
	if w.cause != nil && w.cause != errStopped {
		why := w.failure(w.cause)
		e.Message += "; " + why.Message
		e.Field, e.Remedy = why.Field, why.Remedy
	}
	return e
}
