package reward

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"sparkd"
	"sparkd/internal/procgroup"
)

const (
	maxLine    = 1 << 20     // bytes of an answer
	maxLogLine = 4096        // bytes of a line of stderr; the rest is cut
	drain      = time.Second // for the output of a rule that was killed
	protocol   = `let it write {"id":…,"reward":…} for every line it reads, flush it, ` +
		`and write everything else to stderr`
)

// process is one run of the rule.
type process struct {
	o     *Options
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   chan []byte   // lines of stdout, nil for one that is too long; closed at its end
	gone  chan struct{} // closed when the process was waited for and out is closed
	kill  func()        // ends the rule and all that it started, and waits for that; may be called often

	mu        sync.Mutex
	lastWords string // the last line of stderr
}

// launch starts the rule. It ends with ctx.
func launch(ctx context.Context, o *Options) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &process{o: o, cmd: exec.CommandContext(ctx, o.Command[0], o.Command[1:]...),
		out: make(chan []byte), gone: make(chan struct{})}
	procgroup.Separate(p.cmd)
	p.cmd.Cancel = func() error {
		procgroup.Kill(p.cmd.Process.Pid)
		_ = p.cmd.Process.Kill() // where there are no groups
		return nil
	}
	p.cmd.WaitDelay = drain                                // who else holds the pipes loses them
	p.cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1") // print is enough in Python
	stdout, toStdout := io.Pipe()
	stderr, toStderr := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = toStdout, toStderr
	stdin, err := p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		e := invalid("name a program that can be run; no shell reads the command",
			"cannot start %q: %v", o.Command[0], err)
		e.Err = err
		return nil, e
	}
	p.stdin = stdin
	p.kill = func() {
		cancel()
		<-p.gone
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.read(ctx, stdout) })
	readers.Go(func() { p.log(stderr) })
	go func() {
		_ = p.cmd.Wait() // its ProcessState says how it ended
		_ = toStdout.Close()
		_ = toStderr.Close()
		readers.Wait()
		cancel()
		close(p.gone)
	}()
	return p, nil
}

// read hands on the lines of stdout until it or ctx ends.
func (p *process) read(ctx context.Context, stdout *io.PipeReader) {
	defer close(p.out)
	defer stdout.Close()
	s := bufio.NewScanner(stdout)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	send := func(line []byte) bool {
		select {
		case p.out <- line:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for s.Scan() {
		if !send(append([]byte{}, s.Bytes()...)) {
			return
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		send(nil)
	}
}

// log hands on the lines of stderr, cut to maxLogLine.
func (p *process) log(stderr io.Reader) {
	r := bufio.NewReaderSize(stderr, maxLogLine)
	for {
		line, more, err := r.ReadLine()
		if err != nil {
			return
		}
		text := strings.ToValidUTF8(string(line), "�")
		for more && err == nil {
			_, more, err = r.ReadLine()
		}
		p.o.Log(text)
		if strings.TrimSpace(text) != "" {
			p.mu.Lock()
			p.lastWords = text
			p.mu.Unlock()
		}
	}
}

// ask sends the trajectories that end at leaves and returns an answer for each. After an
// error the process is of no more use.
func (p *process) ask(ctx context.Context, t *sparkd.Tree, leaves []int) ([]answer, error) {
	sent := make(chan error, 1)
	go func() { sent <- p.send(t, leaves) }() // ends with the process at the latest
	answers := make([]answer, 0, len(leaves))
	deadline := time.NewTimer(p.o.Timeout)
	defer deadline.Stop()
	for writing := true; writing || len(answers) < len(leaves); {
		select {
		case err := <-sent:
			if writing = false; err != nil {
				return nil, p.over()
			}
		case line, ok := <-p.out:
			switch {
			case !ok:
				return nil, p.over()
			case len(answers) == len(leaves):
				return nil, invalid(protocol, "the rule wrote more lines than it was asked for: %s", quote(line))
			}
			a, err := parse(line, t, leaves[len(answers)])
			if err != nil {
				return nil, err
			}
			answers = append(answers, a)
			deadline.Reset(p.o.Timeout)
		case <-deadline.C:
			return nil, &sparkd.Error{Code: sparkd.CodeDeadline, Field: "reward_cmd",
				Message: fmt.Sprintf("the rule gave no answer to a trajectory within %v", p.o.Timeout),
				Remedy:  "let it flush every answer, and answer sooner"}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answers, nil
}

// send writes one trajectory after the other, so that only one is in memory as text.
func (p *process) send(t *sparkd.Tree, leaves []int) error {
	w := bufio.NewWriterSize(p.stdin, 64<<10)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, leaf := range leaves {
		if err := e.Encode(trajectoryOf(t, leaf)); err != nil {
			return err
		}
	}
	return w.Flush()
}

// over says how a rule ended that takes no more or says no more.
func (p *process) over() error {
	timer := time.NewTimer(drain)
	defer timer.Stop()
	for out := p.out; ; {
		select {
		case _, ok := <-out: // what it still says, so that it can end
			if !ok {
				out = nil
			}
		case <-p.gone:
			return invalid("see what it wrote to stderr; it is to run until its input ends",
				"the rule ended before it had answered: %v%s", p.cmd.ProcessState, p.said())
		case <-timer.C:
			return invalid(protocol, "the rule closed its input and ran on%s", p.said())
		}
	}
}

// said is what an error shows of stderr.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastWords == "" {
		return ""
	}
	return "; its last words: " + quote([]byte(p.lastWords))
}

// close ends the rule's input and waits until it ends.
func (p *process) close() error {
	_ = p.stdin.Close()
	timer := time.NewTimer(p.o.Timeout)
	defer timer.Stop()
	var err error
	for out := p.out; ; {
		select {
		case line, ok := <-out:
			if !ok {
				out = nil
			} else if err == nil {
				err = invalid(protocol, "the rule wrote more lines than it was asked for: %s", quote(line))
			}
		case <-p.gone:
			if err == nil && !p.cmd.ProcessState.Success() {
				err = invalid("see what it wrote to stderr",
					"the rule failed at its end: %v%s", p.cmd.ProcessState, p.said())
			}
			return err
		case <-timer.C:
			p.kill()
			return invalid("let it end when its input does", "the rule did not end within %v of its input", p.o.Timeout)
		}
	}
}
