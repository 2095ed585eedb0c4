package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
)

// worker is one process. Its run goroutine owns the conversation: calls come in through
// calls, lines through lines. It ends once, and then closes gone.
type worker struct {
	o       *Options
	process *jsonlines.Process
	cause   error // of its end; set before gone is closed
	hello   hello // set by start, never changed

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
	done    chan result // buffered: the caller may have left
}

type result struct {
	ok  json.RawMessage
	err error
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
	p, err := jsonlines.Start(jsonlines.Options{Command: o.Command, MaxLine: maxLine, Log: o.Log, Keep: tailLines})
	if err != nil {
		return nil, o.unstartable(err)
	}
	w := &worker{o: o, process: p, calls: make(chan *call), asked: make(chan struct{}), gone: make(chan struct{})}
	w.stop = sync.OnceFunc(func() { close(w.asked) })
	go w.run()
	ok, err := w.call(ctx, request{Op: "hello", Protocol: version, Options: o.Options})
	if err == nil {
		w.hello, err = parseHello(ok)
	}
	if err != nil {
		w.stop()
		<-w.gone
		return nil, w.refusal(err)
	}
	return w, nil
}

// refusal words why there is no hello. A field that the worker names is one of [env.NAME].
func (w *worker) refusal(err error) error {
	var b breach
	var e *sparkd.Error
	var a *abandoned
	switch {
	case errors.Is(err, errGone): // it ended before it could be asked
		return w.failure(w.cause)
	case errors.As(err, &b):
		return w.failure(b)
	case errors.As(err, &a):
		return a.err
	case errors.As(err, &e) && e.Field != "" && !strings.HasPrefix(e.Field, "env."):
		named := *e
		named.Field = w.o.field(e.Field)
		return &named
	}
	return err
}

// call asks the worker, when it is this call's turn, and waits for the answer. It fails with errGone when the
// worker had ended before, and with *abandoned when ctx ended with the answer outstanding.
func (w *worker) call(ctx context.Context, r request) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &call{request: r, done: make(chan result, 1)}
	select {
	case w.calls <- c:
	case <-w.gone:
		return nil, errGone
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case r := <-c.done:
		return r.ok, r.err
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
	switch {
	case c != nil:
		c.done <- result{err: w.failure(cause)}
	case cause != nil: // between two calls: the next one starts another worker and fails for nobody
		w.o.Log(w.failure(cause).Message)
	}
	close(w.gone)
}

// serve answers calls. It returns the cause of the worker's end, nil when that was asked
// for, and the call that met it, if any.
func (w *worker) serve() (*call, error) {
	for {
		select {
		case <-w.asked:
			return nil, nil
		case line, ok := <-w.process.Lines:
			if !ok {
				return nil, errEnded
			}
			return nil, breach("it wrote without being asked: " + excerpt.Line(line))
		case c := <-w.calls:
			select {
			case <-w.asked: // it came in the moment of the end
				c.done <- result{err: errGone}
				return nil, nil
			default:
			}
			ok, err := w.exchange(c)
			var answered *sparkd.Error
			if err != nil && !errors.As(err, &answered) {
				return c, err
			}
			c.done <- result{ok, err}
			if w.tooBig() {
				return nil, errGrown
			}
		}
	}
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
