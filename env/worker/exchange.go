package worker

import (
	"encoding/json"
	"time"
)

// exchange writes a request and reads its answer. An error that is no *sparkd.Error is the end of the worker.
func (w *worker) exchange(c *call) (any, error) {
	answer, err := w.converse(c)
	if err != nil {
		return nil, err
	}
	ok, err := parseAnswer(answer, w.id)
	if err != nil {
		return nil, during(c.request.Op, err)
	}
	v, err := c.read(ok)
	return v, during(c.request.Op, err)
}

// during says to what an answer was a breach.
func during(op string, err error) error {
	if b, ok := err.(breach); ok {
		return breachf("answering %s, %v", op, b)
	}
	return err
}

// converse writes a request and returns the line that comes back.
func (w *worker) converse(c *call) ([]byte, error) {
	w.id++
	c.request.ID = w.id
	line, err := json.Marshal(c.request)
	if err != nil {
		return nil, err
	}
	limit := c.request.limit(w.o)
	deadline := time.After(limit)
	measure, rest := w.measuring()
	defer rest()
	wrote, lines := w.write(append(line, '\n')), w.process.Lines
	var answer []byte
	for wrote != nil || answer == nil {
		select {
		case err := <-wrote:
			if wrote = nil; err != nil {
				return nil, errEnded
			}
		case l, ok := <-lines:
			switch {
			case !ok:
				return nil, errEnded
			case l == nil:
				return nil, during(c.request.Op, breachf("it wrote a line of more than %d MiB", maxLine>>20))
			}
			answer, lines = l, nil // more lines would be unasked for
		case <-measure:
			if size := w.process.Resident(); size > 2*w.o.Memory<<20 {
				return nil, huge(size)
			}
		case <-deadline:
			return nil, late{c.request.Op, limit}
		case <-w.asked:
			return nil, errStopped
		}
	}
	return answer, nil
}

// write writes a line beside what is read: both pipes may be full. It ends with the worker at the latest.
func (w *worker) write(line []byte) <-chan error {
	wrote := make(chan error, 1)
	go func() {
		_, err := w.process.Write(line)
		wrote <- err
	}()
	return wrote
}

// measuring says when to measure the memory during a call: never, if there is no bound.
func (w *worker) measuring() (<-chan time.Time, func()) {
	if w.o.Memory == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(w.o.measure)
	return t.C, t.Stop
}

// tooBig measures the memory after an answer, but not after each of many in a row.
func (w *worker) tooBig() bool {
	if w.o.Memory == 0 || time.Since(w.measured) < w.o.measure {
		return false
	}
	w.measured = time.Now()
	return w.process.Resident() > w.o.Memory<<20
}
