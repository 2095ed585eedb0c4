package jsonlines

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

func killAll(pids []int) {
	for _, p := range pids {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
}

// resident returns the resident memory of a process and its descendants in bytes.
func resident(pid int) int {
	sum := 0
	for _, p := range append(Descendants(pid), pid) {
		status, _ := os.ReadFile("/proc/" + strconv.Itoa(p) + "/status") // it may have ended
		if _, after, ok := bytes.Cut(status, []byte("VmRSS:")); ok {
			kib, _, _ := bytes.Cut(bytes.TrimLeft(after, " \t"), []byte(" "))
			n, _ := strconv.Atoi(string(kib))
			sum += n << 10
		}
	}
	return sum
}

// Descendants lists the living children of a process, and theirs.
func Descendants(pid int) []int {
	var found []int
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, field := range bytes.Fields(text) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				found = append(append(found, child), Descendants(child)...)
			}
		}
	}
	return found
}
