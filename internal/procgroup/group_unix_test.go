//go:build unix

package procgroup_test

import (
	"bufio"
	"io"
	"os/exec"
	"testing"

	"sparkd/internal/procgroup"
)

// Kill reaches what a program has started: its output, which both hold, ends.
func TestKillReachesWhatAProgramStarted(t *testing.T) {
	for name, prepare := range map[string]func(*exec.Cmd){"separate": procgroup.Separate, "bind": procgroup.Bind} {
		t.Run(name, func(t *testing.T) {
			c := exec.Command("sh", "-c", "sleep 60 & echo started; wait")
			prepare(c)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(out)
			line, err := r.ReadString('\n')
			procgroup.Kill(c.Process.Pid)
			rest, _ := io.ReadAll(r)
			if err != nil || line != "started\n" || len(rest) > 0 {
				t.Errorf("it wrote %q, then %q: %v", line, rest, err)
			}
			if err := c.Wait(); err == nil {
				t.Error("it was not killed")
			}
		})
	}
}
