package worker

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"sparkd/internal/supervisor"
	"sparkd/internal/supervisor/supervisortest"
)

// children lists the processes that this one has.
func children() []int { return supervisor.Descendants(os.Getpid()) }

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

// family starts processes that are hard to end.
func family(shape, dir string) error { return supervisortest.Start(shape, dir) }

// Whatever a worker started is gone when it is replaced, when sparkd stops and when sparkd is killed.
func TestFamilies(t *testing.T) {
	if at := os.Getenv("SPARKD_EXEC_FAMILY"); at != "" {
		s := open(t, options())
		step(t, begin(t, s, 0), at, 0, 0, 0)
		fmt.Println("started")
		hang()
	}
	for _, shape := range supervisortest.Shapes() {
		t.Run(shape, func(t *testing.T) {
			s, dir := open(t, options("replay", "yes")), t.TempDir()
			e := begin(t, s, 0)
			step(t, e, shape+" in "+dir, 0, 0, 0)
			supervisortest.There(t, dir)
			if _, err := e.Step(t.Context(), "garbage"); err == nil {
				t.Error("garbage was taken")
			}
			if left := supervisortest.Members(dir); len(left) > 0 {
				t.Errorf("%d processes outlived their worker", len(left))
			}

			dir = t.TempDir()
			step(t, begin(t, s, 0), shape+" in "+dir, 0, 0, 0)
			supervisortest.There(t, dir)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if left := supervisortest.Members(dir); len(left) > 0 {
				t.Errorf("%d processes outlived the environment", len(left))
			}

			dir = t.TempDir()
			daemon := exec.Command(os.Args[0], "-test.run=^TestFamilies$")
			daemon.Env = append(os.Environ(), "SPARKD_EXEC_FAMILY="+shape+" in "+dir)
			out, err := daemon.StdoutPipe()
			if err == nil {
				err = daemon.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "started") {
				t.Errorf("%q, %v", line, err)
			}
			supervisortest.There(t, dir)
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
			supervisortest.Gone(t, dir)
		})
	}
}
