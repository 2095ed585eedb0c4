//go:build !unix

package supervisor

import "os/exec"

// There are no groups.
func separate(*exec.Cmd) {}
func killGroup(int)      {}
