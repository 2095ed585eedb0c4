//go:build !linux

package jsonlines

import (
	"os"

	"sparkd/internal/procgroup"
)

// killTree kills a process and its group; what else it started ends when its input does.
func killTree(pid int) {
	procgroup.Kill(pid)
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

// Descendants and killAll do nothing: they are not known here.
func Descendants(int) []int { return nil }
func killAll([]int)         {}

// resident is not known here.
func resident(int) int { return 0 }
