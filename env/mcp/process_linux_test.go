package mcp

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A server dies with the daemon, even one that does not notice the end of its input.
func TestServersDieWithTheDaemon(t *testing.T) {
	if os.Getenv("SPARKD_MCP_DAEMON") != "" {
		e, _, err := begin(t, open(t, Options{Command: append(self(t), "deaf")}))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(e.session.cmd.Process.Pid)
		<-time.After(time.Hour)
	}
	daemon := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheDaemon$")
	daemon.Env = append(os.Environ(), "SPARKD_MCP_DAEMON=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	if err != nil {
		t.Fatal(err)
	}
	server := strings.TrimSpace(line)
	deadline := time.After(5 * time.Second)
	for {
		stat, err := os.ReadFile("/proc/" + server + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") { // nobody may have waited for it
			return
		}
		select {
		case <-deadline:
			t.Fatalf("server %s is left", server)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
