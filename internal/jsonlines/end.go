package jsonlines

import "time"

// drain is how long the last output of a process that has ended may take: somebody else may hold its pipes.
const drain = time.Second

// End closes stdin, gives the process the time to end by itself, and as much again after SIGTERM, kills what is left of
// it and of all that it started, and waits for them. It reports whether the process ended by itself. Lines that come
// meanwhile are dropped. Every call but the first waits for that one.
func (p *Process) End(grace time.Duration) (itself bool) {
	p.ending.Do(func() { p.itself = p.end(grace) })
	return p.itself
}

func (p *Process) end(grace time.Duration) (itself bool) {
	exited := make(chan struct{})
	go func() {
		p.State = p.program.Wait()
		close(exited)
	}()
	_ = p.stdin.Close()
	itself = p.await(exited, grace)
	if !itself && grace > 0 {
		p.program.Terminate()
		p.await(exited, grace)
	}
	close(p.quit)
	p.program.Kill()
	<-exited
	drained := make(chan struct{})
	go func() {
		p.readers.Wait()
		close(drained)
	}()
	p.await(drained, drain)
	for _, pipe := range p.pipes {
		_ = pipe.Close()
	}
	<-drained
	return itself
}

// await drops lines until something is done, for a time at most. It reports whether it is.
func (p *Process) await(done <-chan struct{}, most time.Duration) bool {
	late := time.After(most)
	for lines := p.Lines; ; {
		select {
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
		case <-done:
			return true
		case <-late:
			return false
		}
	}
}
