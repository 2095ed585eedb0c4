package supervisor_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sparkd/internal/supervisor"
	"sparkd/internal/supervisor/supervisortest"
)

// The test binary is also a program with a family, and a sparkd that has such a program.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && (os.Args[1] == "parent" || os.Args[1] == "sparkd") {
		if err := play(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func play(role, shape, dir string) error {
	switch role {
	case "parent": // of the family, until its input ends
		if err := supervisortest.Start(shape, dir); err != nil {
			return err
		}
		fmt.Println("started")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return nil
	case "sparkd": // until it is killed
		p, _, out := start(shape, dir)
		_, err := out.ReadString('\n')
		fmt.Println(err)
		p.Wait()
	}
	return nil
}

// start starts the parent of a family; its stdout and that of the family are its third result.
func start(shape, dir string) (*supervisor.Program, io.WriteCloser, *bufio.Reader) {
	c := exec.Command(os.Args[0], "parent", shape, dir)
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	p, err3 := supervisor.Start(c)
	if err := errors.Join(err1, err2, err3); err != nil {
		panic(err)
	}
	return p, in, bufio.NewReader(out)
}

// Whatever a program started is gone with it, however it ends.
func TestNothingIsLeft(t *testing.T) {
	for _, shape := range supervisortest.Shapes() {
		for end, by := range map[string]func(*supervisor.Program, io.Closer){
			"by itself": func(_ *supervisor.Program, in io.Closer) { _ = in.Close() },
			"asked to":  func(p *supervisor.Program, _ io.Closer) { p.Terminate() },
			"killed":    func(p *supervisor.Program, _ io.Closer) { p.Kill() },
		} {
			t.Run(shape+" "+end, func(t *testing.T) {
				dir := t.TempDir()
				p, in, out := start(shape, dir)
				if line, err := out.ReadString('\n'); err != nil {
					t.Fatalf("%q, %v", line, err)
				}
				supervisortest.There(t, dir)
				by(p, in)
				status := p.Wait()
				if left := supervisortest.Members(dir); len(left) > 0 {
					t.Errorf("%d processes outlived Wait", len(left))
				}
				want := map[string]string{"by itself": "exit status 0", "asked to": "signal: terminated",
					"killed": "signal: killed"}[end]
				if status.String() != want || status.Success() != (end == "by itself") {
					t.Errorf("it ended with %v, want %s", status, want)
				}
			})
		}
	}
}

// A supervisor that somebody stopped does its work all the same.
func TestStoppedSupervisor(t *testing.T) {
	dir := t.TempDir()
	p, _, out := start("daemon", dir)
	if line, err := out.ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	supervisortest.There(t, dir)
	if all := supervisor.Descendants(os.Getpid()); len(all) == 0 || syscall.Kill(all[0], syscall.SIGSTOP) != nil {
		t.Errorf("no supervisor among %v", all)
	}
	p.Kill()
	if status := p.Wait(); status.String() != "signal: killed" || len(supervisortest.Members(dir)) > 0 {
		t.Errorf("%v, and %v are left", status, supervisortest.Members(dir))
	}
}

// Whatever a program started is gone with sparkd, even if that is killed.
func TestNothingOutlivesSparkd(t *testing.T) {
	for _, shape := range supervisortest.Shapes() {
		t.Run(shape, func(t *testing.T) {
			dir := t.TempDir()
			sparkd := exec.Command(os.Args[0], "sparkd", shape, dir)
			sparkd.Stderr = os.Stderr
			out, err := sparkd.StdoutPipe()
			if err == nil {
				err = sparkd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
				t.Errorf("%q, %v", line, err)
			}
			supervisortest.There(t, dir)
			family := supervisor.Descendants(sparkd.Process.Pid)
			_ = sparkd.Process.Kill()
			_ = sparkd.Wait()
			supervisortest.Gone(t, dir)
			supervisortest.Ended(t, family) // with the program and its supervisor
		})
	}
}

// What is seen of a program is what package os/exec shows of it: its end, output, environment, folder and files.
func TestProgramsAreAsWithoutSupervisor(t *testing.T) {
	dir := t.TempDir()
	command := func(script string) (*exec.Cmd, *strings.Builder) {
		out := &strings.Builder{}
		c := exec.Command("sh", "-c", script, "zero", "one \xff")
		c.Dir, c.Env = dir, append(os.Environ(), "TOLD=a\nb\xff")
		return c, out
	}
	for _, script := range []string{
		"exit 0", "exit 3", "exit 255", "kill -9 $$", "kill -SEGV $$", "kill -USR1 $$; exit 1",
		"kill -TERM 0; sleep 9", // its group is its own
		`echo "$0 $1 $TOLD $(pwd) $#"`, "env | sort", "echo out; echo err >&2", "cat", "exec <&-; cat",
		"read a; echo $a",
		"exec grep ^Sig[BIC] /proc/self/status", "ulimit -a", "umask",
	} {
		direct, want := command(script)
		direct.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		direct.Stdin, direct.Stdout, direct.Stderr = strings.NewReader("hello\n"), want, want
		_ = direct.Run()
		c, got := command(script)
		in, err1 := c.StdinPipe()
		out, err2 := c.StdoutPipe()
		c.Stderr = c.Stdout
		p, err3 := supervisor.Start(c)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(in, "hello\n")
		_ = in.Close()
		_, _ = io.Copy(got, out)
		if status := p.Wait(); status.String() != direct.ProcessState.String() || got.String() != want.String() {
			t.Errorf("%s: %v, wrote %q; without a supervisor %v, %q", script, status, got, direct.ProcessState, want)
		}
	}
}

func TestStartFails(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("\x00"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*exec.Cmd{exec.Command("no-such-program"), exec.Command("/no/such/program"), exec.Command(text),
		exec.Command("/"), {Path: "/bin/sh", Args: []string{"sh"}, Dir: "/no/such/folder"}} {
		same := &exec.Cmd{Path: c.Path, Args: c.Args, Dir: c.Dir, Err: c.Err}
		want := same.Run()
		if _, err := supervisor.Start(c); err == nil ||
			errors.Is(err, fs.ErrNotExist) != errors.Is(want, fs.ErrNotExist) ||
			errors.Is(err, exec.ErrNotFound) != errors.Is(want, exec.ErrNotFound) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if left := supervisor.Descendants(os.Getpid()); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

// One measurement of the memory of a program; a worker's is taken at most every 100 ms.
func BenchmarkResident(b *testing.B) {
	c := exec.Command("cat")
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	p, err := supervisor.Start(c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if p.Resident() == 0 {
			b.Fatal("it takes no memory")
		}
	}
	_ = in.Close()
	p.Wait()
}

// What comes between sparkd and a program costs little beside an interpreter's start.
func BenchmarkStart(b *testing.B) {
	b.Run("with supervisor", func(b *testing.B) {
		for b.Loop() {
			p, err := supervisor.Start(exec.Command("true"))
			if err != nil {
				b.Fatal(err)
			}
			p.Wait()
		}
	})
	b.Run("without", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("true").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
