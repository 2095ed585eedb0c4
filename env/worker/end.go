package worker

import (
	"time"

	"sparkd/internal/procgroup"
)

const (
	grace = 3 * time.Second // for a worker that is asked to end
	drain = time.Second     // for the last words of one that was killed
)

// end ends the process and all that it started, and waits for them. An orderly end is
// that of its input, and some time.
func (w *worker) end(cause error) {
	below := descendants(w.cmd.Process.Pid) // who outlives it is nobody's child
	ended := make(chan struct{})
	go func() {
		w.state, _ = w.cmd.Process.Wait()
		close(ended)
	}()
	if cause == nil {
		_ = w.stdin.Close()
		w.listen(grace)
	}
	close(w.quit)
	if cause == nil || cause == errEnded { // it closed its stdout and is about to end
		within(drain, ended)
	}
	select {
	case <-ended:
		procgroup.Kill(w.cmd.Process.Pid) // what it left behind
		killAll(below)
	default:
		killTree(w.cmd.Process.Pid)
	}
	<-ended
	heard := make(chan struct{})
	go func() {
		w.readers.Wait()
		close(heard)
	}()
	within(drain, heard) // unless somebody else holds its output
	for _, p := range w.pipes {
		_ = p.Close()
	}
	<-heard
}

// within waits for done, but not forever.
func within(most time.Duration, done <-chan struct{}) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// listen throws lines away until there are no more, or for a time.
func (w *worker) listen(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		select {
		case _, ok := <-w.lines:
			if !ok {
				return
			}
		case <-timer.C:
			return
		}
	}
}
