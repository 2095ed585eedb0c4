package supervisor

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// killBelow kills all that descends from a process. Everything is stopped first, so that what is killed cannot
// leave a child behind that was born meanwhile.
func killBelow(pid int) {
	var stopped []int
	for range 100 { // whatever has more generations than that is there the next time
		below := Descendants(pid)
		fresh := slices.DeleteFunc(slices.Clone(below), func(p int) bool { return slices.Contains(stopped, p) })
		signalAll(fresh, syscall.SIGSTOP)
		stopped = below
		if len(fresh) == 0 {
			break
		}
	}
	signalAll(stopped, syscall.SIGKILL)
}

func signalAll(pids []int, s syscall.Signal) {
	for _, p := range pids {
		_ = syscall.Kill(p, s)
	}
}

// Resident returns the resident memory of what descends from a process, in bytes.
func Resident(pid int) int {
	sum := 0
	for _, p := range Descendants(pid) {
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
	children := listed
	if !lists() {
		children = scanned()
	}
	var found []int
	for below := []int{pid}; len(below) > 0; below = below[1:] {
		next := children(below[0])
		found, below = append(found, next...), append(below, next...)
	}
	return found
}

// lists reports whether the kernel lists children (CONFIG_PROC_CHILDREN).
var lists = sync.OnceValue(func() bool {
	_, err := os.Stat("/proc/thread-self/children")
	return err == nil
})

// listed returns the children of a process, from the kernel's lists.
func listed(pid int) (children []int) {
	files, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, name := range files {
		text, _ := os.ReadFile(name) // the thread may have ended
		for _, field := range bytes.Fields(text) {
			if child, err := strconv.Atoi(string(field)); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// scanned returns what listed does, from the parents of all processes.
func scanned() func(pid int) []int {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		end := bytes.LastIndexByte(text, ')') // of the name, which may hold anything
		fields := bytes.Fields(text[max(end, 0):])
		if len(fields) < 3 { // ), state, parent
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		parent, _ := strconv.Atoi(string(fields[2]))
		children[parent] = append(children[parent], child)
	}
	return func(pid int) []int { return children[pid] }
}
