//go:build !unix

package procgroup

import "os/exec"

// Separate does nothing: there are no groups.
func Separate(*exec.Cmd) {}

// Kill does nothing: there are no groups.
func Kill(int) {}
