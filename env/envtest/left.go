package envtest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// holdings is what a process holds at a time. Files and children are known on Linux only.
type holdings struct {
	goroutines int
	files      int
	children   map[string]bool // process ids
}

func take() holdings {
	h := holdings{goroutines: runtime.NumGoroutine(), children: children(os.Getpid())}
	files, _ := os.ReadDir("/proc/self/fd") // last: what the runtime opens for a first read is there by now
	h.files = len(files)
	return h
}

// children lists the processes that descend from pid.
func children(pid int) map[string]bool {
	found := map[string]bool{}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range lists {
		text, _ := os.ReadFile(name)
		for _, child := range strings.Fields(string(text)) {
			found[child] = true
			var id int
			if _, err := fmt.Sscan(child, &id); err == nil {
				for grandchild := range children(id) {
					found[grandchild] = true
				}
			}
		}
	}
	return found
}

// left fails the test if the process holds more than it did. What is closed may take a
// moment to be gone: the count is repeated for up to five seconds.
func (before holdings) left(t *testing.T) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		problem := before.exceeded()
		if problem == "" {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Errorf("after Close: %s", problem)
			return
		}
	}
}

// exceeded says what there is now that there was not before.
func (before holdings) exceeded() string {
	now := take()
	for id := range now.children {
		if !before.children[id] {
			line, _ := os.ReadFile("/proc/" + id + "/cmdline")
			return fmt.Sprintf("process %s is left: %q", id, line)
		}
	}
	if now.files > before.files {
		return fmt.Sprintf("%d open files, %d before", now.files, before.files)
	}
	if now.goroutines > before.goroutines {
		stacks := make([]byte, 1<<20)
		return fmt.Sprintf("%d goroutines, %d before:\n%s", now.goroutines, before.goroutines,
			stacks[:runtime.Stack(stacks, true)])
	}
	return ""
}
