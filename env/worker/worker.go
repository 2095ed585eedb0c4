package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"sparkd"
	"sparkd/internal/jsonlines"
)

// worker is one process. Its run goroutine owns the conversation: calls come in through
// calls, lines through lines. It ends once, and then closes gone.
type worker struct {
	o       *Options
	process *jsonlines.Process
	cause   error  // of its end; this and last are set before gone is closed
	last    string // session of the call that was answered last, or that failed by the end
	hello   hello  // set by start, never changed

	calls chan *call    // unbuffered: a call that was taken is answered
	stop  func()        // asks for a graceful end; may be called often
	asked chan struct{} // closed by stop
	gone  chan struct{} // closed when the process is no more

	id       uint64    // of the last request; owned by run, as are those below
	measured time.Time // when memory was measured last
}

// call is one request under way.
type call struct {
	request request
	begun   bool                         // the request was written, or a part of it
	read    func(ok []byte) (any, error) // its answer; a breach ends the worker before it takes another call
	done    chan result                  // buffered: the caller may have left
}

type result struct {
	answer any // what read returned
	err    error
}

const (
	grace = 3 * time.Second // for a worker that is asked to end
	drain = time.Second     // for one that is about to
)

// errGone means that the worker had ended before it took the call.
var errGone = errors.New("the worker is gone")

// abandoned is what a caller gets who leaves before the answer is there.
type abandoned struct {
	err  error
	done <-chan result // the answer, or the end of the worker
}

func (a *abandoned) Error() string { return a.err.Error() }
func (a *abandoned) Unwrap() error { return a.err }

// start starts a worker and asks for its hello.
func start(ctx context.Context, o *Options) (*worker, error) {
	if err := o.find(); err != nil {
		return nil, err
	}
	p, err := jsonlines.Start(jsonlines.Options{Command: o.Command, MaxLine: maxLine, Log: o.Log, Keep: tailLines})
	if err != nil {
		return nil, sparkd.NewError(sparkd.CodeEnv, o.field("command"), "see why, and whether the machine has room",
			"cannot start %q: %v", o.Command[0], err).Because(err)
	}
	w := &worker{o: o, process: p, calls: make(chan *call), asked: make(chan struct{}), gone: make(chan struct{})}
	w.stop = sync.OnceFunc(func() { close(w.asked) })
	go w.run()
	w.hello, err = query(ctx, w, request{Op: "hello", Protocol: version, Options: o.Options}, parseHello)
	if err != nil {
		w.stop()
		<-w.gone
		return nil, w.refusal(err)
	}
	return w, nil
}

// refusal words why there is no hello. A field that the worker names is one of [env.NAME].
func (w *worker) refusal(err error) error {
	var e *sparkd.Error
	var a *abandoned
	switch {
	case errors.Is(err, errGone): // it ended before it could be asked
		return w.failure(w.cause)
	case errors.As(err, &a):
		return a.err
	case errors.As(err, &e) && e.Field != "" && !strings.HasPrefix(e.Field, "env."):
		named := *e
		named.Field = w.o.field(e.Field)
		return &named
	}
	return err
}

// query asks a worker, when it is this call's turn, and waits for the answer. It fails with errGone when the worker had
// ended before, and with *abandoned when ctx ended with the answer outstanding.
func query[T any](ctx context.Context, w *worker, r request, read func(ok []byte) (T, error)) (answer T, err error) {
	c := &call{request: r, done: make(chan result, 1), read: func(ok []byte) (any, error) { return read(ok) }}
	a, err := w.call(ctx, c)
	if err == nil {
		answer = a.(T)
	}
	return answer, err
}

func (w *worker) call(ctx context.Context, c *call) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case w.calls <- c:
	case <-w.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-c.done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, &abandoned{ctx.Err(), c.done}
	}
}

// run answers calls until the worker ends.
func (w *worker) run() {
	c, cause := w.serve()
	w.cause = cause
	switch cause {
	case nil:
		w.process.End(grace)
	case errEnded: // it closed its stdout and is about to end
		w.process.End(drain)
	default:
		w.process.End(0)
	}
	err := error(errGone)
	if c != nil && c.blamed(cause) {
		w.last, err = c.request.Session, w.failure(cause)
	} else if cause != nil { // no call fails by it: the next one starts another worker
		w.o.Log(w.failure(cause).Message)
	}
	close(w.gone)
	if c != nil {
		c.done <- result{err: err}
	}
}

// blamed reports whether the end of a worker is the failure of the call that met it: not, if it came of another.
func (c *call) blamed(cause error) bool {
	var before unasked
	return c.begun && !errors.As(cause, &before)
}

// serve answers calls. It returns the cause of the worker's end, nil when that was asked for, and the call that met it,
// if any.
func (w *worker) serve() (*call, error) {
	for {
		select {
		case <-w.asked:
			return nil, nil
		case line, ok := <-w.process.Lines:
			return nil, idle(line, ok)
		case c := <-w.calls:
			if over, cause := w.over(); over { // it came in the moment of the end
				return c, cause
			}
			c.begun = true
			answer, err := w.exchange(c)
			var answered *sparkd.Error
			if err != nil && !errors.As(err, &answered) {
				return c, err
			}
			w.last = c.request.Session
			c.done <- result{answer, err}
			if w.tooBig() {
				return nil, errGrown
			}
		}
	}
}

// over reports whether the worker is at its end already, and why.
func (w *worker) over() (bool, error) {
	select {
	case <-w.asked:
		return true, nil
	case line, ok := <-w.process.Lines:
		return true, idle(line, ok)
	default:
		return false, nil
	}
}

// idle is why a worker ends that writes, or closes its stdout, between two calls.
func idle(line []byte, ok bool) error {
	if !ok {
		return errEnded
	}
	return unasked(line)
}

// ended reports whether the process is no more.
func (w *worker) ended() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}
