package envtest

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"sparkd/internal/supervisor"
)

// holdings is what a process holds at a time. Files and children are known on Linux only.
type holdings struct {
	goroutines int
	files      int
	children   []int // process ids
}

func take() holdings {
	h := holdings{goroutines: runtime.NumGoroutine(), children: supervisor.Descendants(os.Getpid())}
	files, _ := os.ReadDir("/proc/self/fd") // last: what the runtime opens for a first read is there by now
	h.files = len(files)
	return h
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
	for _, id := range now.children {
		if !slices.Contains(before.children, id) {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
			return fmt.Sprintf("process %d is left: %q", id, line)
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
