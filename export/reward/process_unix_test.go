//go:build unix

package reward

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// TestKillsWhatItStarted: a rule that fails leaves no process behind.
func TestKillsWhatItStarted(t *testing.T) {
	for _, mode := range []string{"child", "daemon"} {
		if mode == "child" || runtime.GOOS == "linux" {
			t.Run(mode, func(t *testing.T) { killsWhatItStarted(t, mode) })
		}
	}
}

func killsWhatItStarted(t *testing.T, mode string) {
	mark := filepath.Join(t.TempDir(), "lock")
	s := rule(t, Options{Restarts: -1}, mode, mark)
	if _, err := s.Rescore(t.Context(), tree()); err == nil {
		t.Fatal("an answer without a reward was taken")
	}
	f, err := os.Open(mark)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	free := make(chan error, 1)
	go func() { free <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }()
	select {
	case err := <-free:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("a process of the rule still holds its lock")
	}
}
