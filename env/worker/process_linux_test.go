package worker

import (
	"os"
	"os/exec"
	"syscall"

	"sparkd/internal/jsonlines"
)

// children lists the processes that this one has.
func children() []int { return jsonlines.Descendants(os.Getpid()) }

// detach puts a program that is to be started into a group of its own.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// grow takes memory for good; the race detector does not, for the same, take more.
//
//go:norace
func grow(mib int) {
	b, err := syscall.Mmap(-1, 0, mib<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}
