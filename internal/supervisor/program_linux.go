package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// patience is how long a supervisor tries to end what does not die by SIGKILL: it waits for a disk, or is
	// another user's.
	patience = 10 * time.Second
	// startTimeout bounds the start of the supervisor itself.
	startTimeout = time.Minute
)

// Program is a program that was started.
type Program struct {
	pid  int
	cmd  *exec.Cmd // its supervisor
	link *link
}

// Start starts the program of a command, as c.Start does and with the errors of that. The command is that of the
// supervisor afterwards.
func Start(c *exec.Cmd) (*Program, error) {
	o := order{Path: c.Path, Args: c.Args, Env: c.Environ(), Dir: c.Dir}
	if c.Err != nil {
		return nil, c.Start()
	}
	ours, theirs, err := supervised(c)
	if err != nil {
		c.Err = err
		return nil, c.Start() // closes what it has
	}
	err = c.Start()
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	p := &Program{cmd: c, link: ours}
	if err = p.begin(o); err != nil {
		_ = c.Process.Kill()
		p.Wait()
		return nil, err
	}
	return p, nil
}

// begin has the supervisor start the program.
func (p *Program) begin(o order) error {
	var r report
	_ = p.link.SetDeadline(time.Now().Add(startTimeout))
	err := p.link.Encode(o)
	if err == nil {
		err = p.link.Decode(&r)
	}
	_ = p.link.SetDeadline(time.Time{})
	switch {
	case err != nil:
		return fmt.Errorf("the supervisor of %s gives no answer: %w", o.Path, err)
	case r.Pid == 0:
		return &os.PathError{Op: "fork/exec", Path: o.Path, Err: syscall.Errno(r.Errno)}
	}
	p.pid = r.Pid
	return nil
}

// Pid is the number of the program, which leads a group of its own.
func (p *Program) Pid() int { return p.pid }

// Terminate asks the program to end, by SIGTERM.
func (p *Program) Terminate() { _ = p.link.Encode(order{Signal: syscall.SIGTERM}) }

// Kill kills the program and all that descends from it. Wait says when they are gone, at the latest a while after.
func (p *Program) Kill() {
	_ = p.link.CloseWrite()
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // should somebody have stopped it
	time.AfterFunc(2*patience, func() { _ = p.cmd.Process.Kill() })
}

// Wait waits until the program and all that descends from it are gone, and says how the program ended. It is called
// once.
func (p *Program) Wait() Status {
	var r report
	err := p.link.Decode(&r)
	state, _ := p.cmd.Process.Wait()
	_ = p.link.Close()
	switch {
	case err != nil:
		return Status{words: fmt.Sprintf("its supervisor ended: %v", state)}
	case !r.Ended:
		return Status{words: "it could not be killed"}
	}
	return status(r.Status)
}

// status words how a process ended.
func status(s syscall.WaitStatus) Status {
	if s.Exited() {
		return Status{fmt.Sprintf("exit status %d", s.ExitStatus()), s.ExitStatus() == 0}
	}
	words := "signal: " + s.Signal().String()
	if s.CoreDump() {
		words += " (core dumped)"
	}
	return Status{words: words}
}

// Resident returns the resident memory of the program and all that descends from it, in bytes.
func (p *Program) Resident() int { return Resident(p.cmd.Process.Pid) }
