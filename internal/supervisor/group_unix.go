//go:build unix && !linux

package supervisor

import (
	"os/exec"
	"syscall"
)

// separate puts a program that is to be started into a process group of its own.
func separate(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills what is left of the group that a process led.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
