package worker

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/internal/jsonlines"
)

func TestFaultsAtStart(t *testing.T) {
	notAProgram := filepath.Join(t.TempDir(), "notes")
	if err := os.WriteFile(notAProgram, []byte("\x00\x01"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, fault  string
		command      []string
		code         sparkd.Code
		field, words string
	}{
		{name: "no command", command: []string{}, code: sparkd.CodeInvalid, field: "command", words: "no program"},
		{name: "missing", command: []string{"no-such-program"}, code: sparkd.CodeInvalid, field: "command",
			words: `cannot find the program "no-such-program"`},
		{name: "not a program", command: []string{notAProgram}, code: sparkd.CodeEnv,
			field: "command", words: "cannot start"},
		{name: "another program", command: []string{"ls", "/no/such/folder"}, code: sparkd.CodeEnv, field: "command",
			words: "exit status 2; its last words: "},
		{name: "silent", fault: "hang", code: sparkd.CodeDeadline, field: "command",
			words: "no answer to hello within 300ms"},
		{name: "garbage", fault: "garbage", code: sparkd.CodeEnv, field: "command",
			words: `no answer: "Welcome to the line!"`},
		{name: "long line", fault: "long line", code: sparkd.CodeEnv, field: "command", words: "more than 16 MiB"},
		{name: "exit code", fault: "exit 3", code: sparkd.CodeEnv, field: "command",
			words: "exit status 3; its last words: cannot go on"},
		{name: "exit without a word", fault: "exit 0", code: sparkd.CodeEnv, field: "command", words: "exit status 0"},
		{name: "killed", fault: "killed", code: sparkd.CodeEnv, field: "command", words: "signal: killed"},
		{name: "version", fault: "protocol 2", code: sparkd.CodeEnv, field: "command", words: "protocol 2, not 1"},
		{name: "splits", fault: "no splits", code: sparkd.CodeEnv, field: "command", words: "no splits"},
		{name: "names", fault: "names", code: sparkd.CodeEnv, field: "command", words: `names 1 tasks of split "all"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options("fault", c.fault)
			if c.command != nil {
				o.Command = c.command
			}
			if c.fault == "hang" {
				o.StartTimeout = 300 * time.Millisecond
			}
			s, err := Open(t.Context(), "line", o)
			if err == nil {
				_ = s.Close()
			}
			want(t, err, c.code, "env.line."+c.field, c.words)
			if left := children(); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
		})
	}
	_, err := Open(t.Context(), "line", Options{Command: []string{"x"}, Workers: -1})
	want(t, err, sparkd.CodeInvalid, "env.line.workers", "-1")
	_, err = Open(t.Context(), "line", Options{Command: []string{"x"}, Memory: -1})
	want(t, err, sparkd.CodeInvalid, "env.line.memory", "-1")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err = Open(ctx, "line", options("fault", "hang")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the end of the context", err)
	}
}

// A fault fails the step that met it, and no other copy: both go on where they were.
func TestFaultsInAStep(t *testing.T) {
	for _, c := range []struct {
		fault        string
		code         sparkd.Code
		field, words string
		started      int // workers, in the end
	}{
		{"fail", sparkd.CodeEnv, "", "it broke", 1},
		{"garbage", sparkd.CodeEnv, "env.line.command", "no answer", 2},
		{"empty line", sparkd.CodeEnv, "env.line.command", `no answer: ""`, 2},
		{"wrong id", sparkd.CodeEnv, "env.line.command", "without id", 2},
		{"array", sparkd.CodeEnv, "env.line.command", "no answer", 2},
		{"no text", sparkd.CodeEnv, "env.line.command", "no text", 2},
		{"long line", sparkd.CodeEnv, "env.line.command", "more than 16 MiB", 2},
		{"hang", sparkd.CodeDeadline, "sampler.env_timeout", "no answer to step within 1s", 2},
		{"hang with child", sparkd.CodeDeadline, "sampler.env_timeout", "no answer to step within 1s", 2},
		{"exit 3", sparkd.CodeEnv, "env.line.command", "exit status 3; its last words: cannot go on", 2},
		{"killed", sparkd.CodeEnv, "env.line.command", "signal: killed", 2},
		{"explode", sparkd.CodeEnv, "env.line.memory", "MiB in one call", 2},
	} {
		t.Run(c.fault, func(t *testing.T) {
			if c.fault == "explode" && runtime.GOOS != "linux" {
				t.Skip("memory is known on Linux only")
			}
			o := options("replay", "yes", "sessions", "2")
			o.Workers = 1
			if c.fault == "explode" {
				o.Memory = 100
			}
			if strings.HasPrefix(c.fault, "hang") {
				o.CallTimeout = time.Second
			}
			s := open(t, o)
			e, other := begin(t, s, 0), begin(t, s, 7)
			step(t, e, "1", 0, 1, 1)
			step(t, other, "-1", 7, 6, 1)
			_, err := e.Step(t.Context(), c.fault)
			want(t, err, c.code, c.field, c.words)
			if c.started > 1 {
				if left := children(); len(left) > 0 {
					t.Errorf("processes %v are left", left)
				}
			}
			step(t, other, "-1", 7, 5, 2)
			step(t, e, "1", 0, 2, 2)
			if got := s.Stats(); got.Started != c.started || got.Diverged != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A bad answer fails the copy that got it, by its cause, and no neighbour in the same worker, however their calls fall.
func TestNeighbours(t *testing.T) {
	for fault, words := range map[string]string{"no text": "answering step, its observation has no text",
		"garbage": "answering step, it wrote a line that is no answer", "twice": "", "exit 3": "cannot go on"} {
		t.Run(fault, func(t *testing.T) {
			o := options("replay", "yes", "sessions", "4")
			var mu sync.Mutex
			var logged []string
			o.Workers, o.Log = 1, func(line string) {
				mu.Lock()
				defer mu.Unlock()
				logged = append(logged, line)
			}
			s := open(t, o)
			var neighbours sync.WaitGroup
			for i := range 3 {
				e := begin(t, s, i)
				neighbours.Go(func() {
					for n := range 30 {
						if _, err := e.Step(t.Context(), "1"); err != nil {
							t.Errorf("step %d of neighbour %d: %v", n, i, err)
							return
						}
					}
				})
			}
			bad := begin(t, s, 9)
			for range 5 {
				if _, err := bad.Step(t.Context(), fault); words != "" {
					want(t, err, sparkd.CodeEnv, "env.line.command", words)
				} else if err != nil {
					t.Error(err)
				}
			}
			neighbours.Wait()
			mu.Lock()
			defer mu.Unlock()
			if log := strings.Join(logged, "\n"); words == "" && !strings.Contains(log, "without being asked") {
				t.Errorf("logged %q", log)
			}
		})
	}
}

// What is written without being asked ends the worker, which the log tells; the next call
// has another one.
func TestChatter(t *testing.T) {
	o := options("replay", "yes")
	o.Workers = 1
	logged := make(chan string, 1)
	o.Log = func(line string) { logged <- line }
	s := open(t, o)
	e := begin(t, s, 0)
	first := s.pool.hosts[0].worker
	step(t, e, "chatter", 0, 0, 1)
	<-first.gone
	if line := <-logged; !strings.Contains(line, "without being asked") {
		t.Errorf("logged %q", line)
	}
	step(t, e, "1", 0, 1, 2)
	if got := s.Stats(); got.Started != 2 || got.Rebuilt != 1 {
		t.Errorf("%+v", got)
	}
}

// A worker that ends in order may forget what it started, in a group of its own even.
func TestForgottenChild(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descendants are known on Linux only")
	}
	logged := make(chan string, 1)
	o := options()
	o.Log = func(line string) { logged <- line }
	s, err := Open(t.Context(), "line", o)
	if err != nil {
		t.Fatal(err)
	}
	step(t, begin(t, s, 0), "child", 0, 0, 1)
	child := <-logged
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	gone(t, child)
}

// A worker that has grown is replaced after its answer, which counts.
func TestGrowth(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("memory is known on Linux only")
	}
	o := options("replay", "yes")
	o.Workers, o.Memory, o.measure = 1, 80, time.Millisecond
	s := open(t, o)
	e, other := begin(t, s, 0), begin(t, s, 1)
	first := s.pool.hosts[0].worker
	step(t, e, "grow", 0, 0, 1)
	<-first.gone
	step(t, other, "1", 1, 2, 1)
	if got := s.Stats(); got.Started < 2 || got.Diverged != 0 {
		t.Errorf("%+v", got)
	}
}

// A state that is rebuilt is another one where its reset drew another goal, whatever the texts say.
func TestRebuiltWithAnotherGoal(t *testing.T) {
	o := options("fault", "another goal")
	o.Workers = 1
	s := open(t, o)
	e := begin(t, s, 0)
	begin(t, s, 7) // in its place
	_, err := e.Step(t.Context(), "1")
	want(t, err, sparkd.CodeDiverged, "", "could not be rebuilt")
}

// A worker that was killed while nobody used it is not missed.
func TestKilledWhileIdle(t *testing.T) {
	o := options("fork", "native", "sessions", "4")
	o.Workers = 1
	s := open(t, o)
	e := begin(t, s, 0)
	step(t, e, "1", 0, 1, 1)
	f, err := e.(sparkd.Forker).Fork(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := s.pool.hosts[0].worker
	kill(first.process.Pid())
	<-first.gone
	step(t, e, "1", 0, 2, 2)
	step(t, f, "2", 0, 3, 2)
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if got := s.Stats(); got.Started != 2 || got.Rebuilt != 2 {
		t.Errorf("%+v", got)
	}
}

// Another program under the same name does not take over.
func TestAnotherHello(t *testing.T) {
	o := options("fault", "changes")
	s := open(t, o)
	begin(t, s, 0)
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Reset(t.Context(), task0(1)) // in the second worker
	want(t, err, sparkd.CodeInvalid, "env.line.command", "another hello")
}

// Close ends a worker that does not listen, and calls that are under way.
func TestCloseInSpiteOfAll(t *testing.T) {
	o := options("fault", "deaf")
	s, err := Open(t.Context(), "line", o)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := s.Open(t.Context())
	if _, err := e.Reset(t.Context(), task0(0)); err != nil {
		t.Fatal(err)
	}
	hangs := make(chan error)
	go func() {
		_, err := e.Step(t.Context(), "hang")
		hangs <- err
	}()
	busy(s, e)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := <-hangs; sparkd.CodeOf(err) != sparkd.CodeEnv && sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("%v, want a typed failure", err)
	}
	if _, err := e.Reset(t.Context(), task0(0)); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("%v, want %q", err, sparkd.CodeUnavailable)
	}
	if _, err := s.Open(t.Context()); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("%v, want %q", err, sparkd.CodeUnavailable)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
}

func TestLog(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	o := options()
	o.Log = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	s, err := Open(t.Context(), "line", o)
	if err != nil {
		t.Fatal(err)
	}
	e := begin(t, s, 0)
	step(t, e, "shout", 0, 0, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lines, []string{strings.Repeat("a", jsonlines.MaxLogLine), "b�"}) {
		t.Errorf("logged %d lines, %.100q", len(lines), lines)
	}
}

// Workers die with the daemon: by the system where it is Linux, else at the end of stdin.
func TestWorkersDieWithTheDaemon(t *testing.T) {
	if os.Getenv("SPARKD_EXEC_DAEMON") != "" {
		s := open(t, options())
		e := begin(t, s, 0)
		go func() { _, _ = e.Step(t.Context(), "hang") }() // one that does not listen
		begin(t, s, 1)
		for _, h := range s.pool.hosts {
			_, _ = os.Stdout.WriteString(strconv.Itoa(h.worker.process.Pid()) + "\n")
		}
		hang()
	}
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a worker that does not listen")
	}
	daemon := exec.Command(os.Args[0], "-test.run=^TestWorkersDieWithTheDaemon$")
	daemon.Env = append(os.Environ(), "SPARKD_EXEC_DAEMON=1")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 0, 64)
	for strings.Count(string(text), "\n") < 2 {
		b := make([]byte, 64)
		n, err := out.Read(b)
		if text = append(text, b[:n]...); err != nil {
			t.Fatalf("%v after %q", err, text)
		}
	}
	_ = daemon.Process.Kill()
	_, _ = io.Copy(io.Discard, out)
	_ = daemon.Wait()
	for _, pid := range strings.Fields(string(text)) {
		gone(t, pid)
	}
}

// gone waits for the end of a process.
func gone(t *testing.T, pid string) {
	t.Helper()
	deadline := time.After(5 * time.Second)
	for alive(pid) {
		select {
		case <-deadline:
			t.Fatalf("process %s is left", pid)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// alive reports whether a process runs: it may be there as one that nobody waited for.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
