package jsonlines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"sync"

	"sparkd/internal/supervisor"
)

// Options say how a program is run.
type Options struct {
	Command []string          // program and arguments; no shell reads them
	Env     []string          // its environment; nil: sparkd's own
	MaxLine int               // bytes of a line of stdout
	Log     func(line string) // takes the lines of stderr, from another goroutine
	Keep    int               // lines of stderr that Tail remembers
}

// Process is a program that runs.
type Process struct {
	// Lines are those of stdout, without their ends: nil for one that is too long, which is
	// the last. It is closed at the end of stdout.
	Lines <-chan []byte
	Tail  *Tail // of stderr
	// State says how the process ended. It is set once End has returned.
	State supervisor.Status

	program *supervisor.Program
	stdin   io.WriteCloser
	pipes   []io.Closer    // all three
	readers sync.WaitGroup // of stdout and stderr
	quit    chan struct{}  // closed when nobody takes lines any more
	ending  sync.Once
	itself  bool // it ended before it was killed
}

// Start starts a program. The error is that of package os/exec.
func Start(o Options) (*Process, error) {
	c := exec.Command(o.Command[0], o.Command[1:]...)
	c.Env = o.Env
	lines := make(chan []byte)
	p := &Process{Lines: lines, Tail: &Tail{Log: o.Log, Keep: o.Keep}, quit: make(chan struct{})}
	stdout, stderr, err := p.connect(c)
	if err != nil {
		return nil, err
	}
	if p.program, err = supervisor.Start(c); err != nil {
		for _, pipe := range p.pipes {
			_ = pipe.Close()
		}
		return nil, err
	}
	p.readers.Go(func() { p.read(stdout, lines, o.MaxLine) })
	p.readers.Go(func() { _, _ = io.Copy(p.Tail, stderr) })
	return p, nil
}

// connect makes the three pipes.
func (p *Process) connect(c *exec.Cmd) (stdout, stderr io.ReadCloser, err error) {
	if p.stdin, err = c.StdinPipe(); err == nil {
		stdout, err = c.StdoutPipe()
	}
	if err == nil {
		stderr, err = c.StderrPipe()
	}
	p.pipes = []io.Closer{p.stdin, stdout, stderr}
	return stdout, stderr, err
}

// read hands on the lines of stdout, up to one that is too long.
func (p *Process) read(stdout io.Reader, lines chan<- []byte, most int) {
	defer close(lines)
	s := bufio.NewScanner(stdout)
	s.Buffer(make([]byte, 0, min(4096, most)), most)
	send := func(line []byte) bool {
		select {
		case lines <- line:
			return true
		case <-p.quit:
			return false
		}
	}
	for s.Scan() {
		if !send(bytes.Clone(s.Bytes())) {
			return
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		send(nil)
	}
}

// Write writes to stdin. A pipe that is full blocks; the end of the process ends that too.
func (p *Process) Write(b []byte) (int, error) { return p.stdin.Write(b) }

// CloseInput ends stdin, which asks the program to end.
func (p *Process) CloseInput() error { return p.stdin.Close() }

// Pid is the number of the process, which leads a group of its own.
func (p *Process) Pid() int { return p.program.Pid() }

// Resident returns the resident memory of the process and its descendants in bytes; 0 where the system does not say.
func (p *Process) Resident() int { return p.program.Resident() }
