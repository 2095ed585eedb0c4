//go:build !linux

package procgroup

import "os/exec"

// Bind separates a program that is to be started; only Linux can have it killed when sparkd ends.
func Bind(c *exec.Cmd) { Separate(c) }
