// Package supervisortest makes families of processes that are hard to end, for tests that they are ended.
package supervisortest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// shapes are scripts of sh, which get the rest of their generations as $1. A family has the environment variable
// that mark holds.
var shapes = map[string]string{
	"child":       `sleep 1000`,
	"session":     `sleep 1000`, // one of its own
	"ignores":     `trap '' TERM HUP INT QUIT; while :; do sleep 1000; done`,
	"closed":      `exec <&- >&- 2>&-; sleep 1000`,
	"daemon":      `sh -c 'sleep 1000 & sleep 1000 & exit 0' & exit 0`,
	"bomb":        `if [ $1 -gt 0 ]; then for i in 1 2 3; do sh $0 $(($1-1)) & done; fi; sleep 1000`,
	"relay":       `if [ $1 -gt 0 ]; then sh $0 $(($1-1)) & exit 0; fi; sleep 1000`,
	"many stages": `if [ $1 -gt 0 ]; then sh $0 $(($1-1)); fi; sleep 1000`,
}

// Shapes lists the families, in order.
func Shapes() []string {
	return []string{"child", "session", "ignores", "closed", "daemon", "bomb", "relay", "many stages"}
}

const mark = "FAMILY_OF_A_TEST="

// Start starts a family of that shape below this process, which does not wait for it. dir is what Members knows it by.
func Start(shape, dir string) error {
	script := filepath.Join(dir, "family.sh")
	if err := os.WriteFile(script, []byte(shapes[shape]+"\n"), 0o600); err != nil {
		return err
	}
	generations := map[string]string{"bomb": "4", "relay": "2000", "many stages": "40"}[shape]
	c := exec.Command("sh", script, generations)
	c.Env = append(os.Environ(), mark+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: shape != "child"}
	return c.Start()
}

// Members lists the living processes of the family of dir.
func Members(dir string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		if bytes.Contains(text, []byte(mark+dir+"\x00")) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// There waits until the family of dir has members.
func There(t *testing.T, dir string) {
	t.Helper()
	if !reached(func() bool { return len(Members(dir)) > 0 }) {
		t.Error("no family has been started")
	}
}

// Gone fails the test if the family of dir keeps members.
func Gone(t *testing.T, dir string) {
	t.Helper()
	left := func() []int { return Members(dir) }
	reached(func() bool { return len(left()) == 0 })
	fail(t, left())
}

// Ended fails the test if one of these processes lives on.
func Ended(t *testing.T, pids []int) {
	t.Helper()
	left := func() []int { return slices.DeleteFunc(slices.Clone(pids), ended) }
	reached(func() bool { return len(left()) == 0 })
	fail(t, left())
}

// ended reports whether a process runs no more. It may be there as one that nobody waited for.
func ended(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(text, []byte(") Z "))
}

// fail names what is left, and ends it.
func fail(t *testing.T, left []int) {
	t.Helper()
	for _, pid := range left {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		t.Errorf("process %d is left: %q", pid, line)
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// reached waits for a condition, for ten seconds at most.
func reached(met func() bool) bool {
	for deadline := time.After(10 * time.Second); !met(); {
		select {
		case <-deadline:
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return true
}
