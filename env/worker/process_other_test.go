//go:build !linux

package worker

import "os/exec"

// children are not known here.
func children() []int { return nil }

func detach(*exec.Cmd) {}

// family cannot be started.
func family(string, string) error { return nil }

// grow is not noticed here.
func grow(int) {}
