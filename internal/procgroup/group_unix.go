//go:build unix

package procgroup

import (
	"os/exec"
	"syscall"
)

// Separate puts a program that is to be started into a process group of its own.
func Separate(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Kill kills what is left of the group that a process led.
func Kill(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
