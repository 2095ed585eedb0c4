package procgroup

import (
	"os/exec"
	"syscall"
)

// Bind separates a program that is to be started and has it killed when sparkd ends, however that ends.
func Bind(c *exec.Cmd) {
	Separate(c)
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
