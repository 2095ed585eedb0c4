//go:build !linux

package supervisor

import (
	"os/exec"
	"syscall"
)

// Program is a program that was started.
type Program struct{ cmd *exec.Cmd }

// Start starts the program of a command, as c.Start does.
func Start(c *exec.Cmd) (*Program, error) {
	separate(c)
	return &Program{c}, c.Start()
}

// Pid is the number of the program, which leads a group of its own.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Terminate asks the program to end, by SIGTERM where there are signals.
func (p *Program) Terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// Kill kills the program and its group. Wait says when the program is gone.
func (p *Program) Kill() {
	killGroup(p.Pid())
	_ = p.cmd.Process.Kill()
}

// Wait waits until the program is gone, and says how it ended. It is called once.
func (p *Program) Wait() Status {
	state, err := p.cmd.Process.Wait()
	if err != nil {
		return Status{words: err.Error()}
	}
	killGroup(p.Pid())
	return Status{state.String(), state.Success()}
}

// Resident is not known here.
func (p *Program) Resident() int { return 0 }
