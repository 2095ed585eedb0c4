package mcp

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sparkd/internal/supervisor"
	"sparkd/internal/supervisor/supervisortest"
)

// family starts processes that are hard to end.
func family(shape, dir string) error { return supervisortest.Start(shape, dir) }

// A server and all that it started are gone with its copy, with a reset, and with sparkd, even if that is killed and
// the server does not notice the end of its input.
func TestFamilies(t *testing.T) {
	if action := os.Getenv("FAMILY"); action != "" {
		command := self(t)
		if strings.Contains(action, `"child"`) {
			command = append(command, "deaf")
		}
		e, _, err := begin(t, open(t, Options{Command: command}))
		if err == nil {
			_, err = e.Step(t.Context(), action)
		}
		fmt.Println("started", err)
		<-time.After(time.Hour)
	}
	source := open(t, Options{Command: self(t)})
	for _, shape := range supervisortest.Shapes() {
		t.Run(shape, func(t *testing.T) {
			start := func(e *Env) (dir string) {
				dir = t.TempDir()
				if o, err := e.Step(t.Context(), tree(shape, dir)); err != nil || o.Text != "" {
					t.Errorf("%+v, %v", o, err)
				}
				supervisortest.There(t, dir)
				return dir
			}
			e, _, err := begin(t, source)
			if err != nil {
				t.Fatal(err)
			}
			first := start(e)
			if _, err := e.Reset(t.Context(), task(4)); err != nil {
				t.Error(err)
			}
			second := start(e)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if left := append(supervisortest.Members(first), supervisortest.Members(second)...); len(left) > 0 {
				t.Errorf("%d processes outlived their session", len(left))
			}

			dir := t.TempDir()
			daemon := exec.Command(os.Args[0], "-test.run=^TestFamilies$")
			daemon.Env = append(os.Environ(), "FAMILY="+tree(shape, dir))
			out, err := daemon.StdoutPipe()
			if err == nil {
				err = daemon.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "started <nil>\n" {
				t.Errorf("%q, %v", line, err)
			}
			supervisortest.There(t, dir)
			below := supervisor.Descendants(daemon.Process.Pid)
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
			supervisortest.Gone(t, dir)
			supervisortest.Ended(t, below)
		})
	}
}

// tree is the call that starts a family.
func tree(shape, dir string) string {
	return fmt.Sprintf(`family {"shape": %q, "dir": %q}`, shape, dir)
}
