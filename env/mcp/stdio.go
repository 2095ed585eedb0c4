package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
)

// endTimeout is how long a program may take to end with its input, and then with SIGTERM.
const endTimeout = 2 * time.Second

// program is a server on stdio: the SDK's transport, and its connection, over a program of which nothing is left when
// the session ends.
type program struct {
	*jsonlines.Process
	writing sync.Mutex
	read    context.Context // ends when nothing more can be read; its cause says why
	stop    context.CancelCauseFunc
}

// launch starts the server for the task of that number.
func (s *settings) launch(number int) (*program, error) {
	args := slices.Clone(s.command)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{index}", strconv.Itoa(number))
	}
	// a token may be among them, and tools show what they see
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SPARKD_") })
	p, err := jsonlines.Start(jsonlines.Options{Command: args, Env: env, MaxLine: maxMessage, Log: s.log, Keep: 1})
	if err != nil {
		return nil, err
	}
	k := &program{Process: p}
	k.read, k.stop = context.WithCancelCause(context.Background())
	return k, nil
}

// Connect implements mcp.Transport.
func (p *program) Connect(context.Context) (mcp.Connection, error) { return p, nil }

// SessionID implements mcp.Connection: there is one session in the life of a program.
func (p *program) SessionID() string { return "" }

// Read returns the next message. Blank lines are none.
func (p *program) Read(ctx context.Context) (m jsonrpc.Message, err error) {
	for m == nil && err == nil {
		select {
		case line, ok := <-p.Lines:
			m, err = message(line, ok)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		p.stop(err)
	}
	return m, err
}

// message reads a line of stdout, if there is one.
func message(line []byte, ok bool) (jsonrpc.Message, error) {
	switch {
	case !ok:
		return nil, io.EOF
	case line == nil:
		return nil, fmt.Errorf("it wrote a line of more than %d MiB", maxMessage>>20)
	case len(bytes.TrimSpace(line)) == 0:
		return nil, nil
	}
	m, err := jsonrpc.DecodeMessage(line)
	if err != nil {
		return nil, errPolluted{line}
	}
	return m, nil
}

// errPolluted is a line on stdout that is no message.
type errPolluted struct{ line []byte }

func (e errPolluted) Error() string {
	return "it wrote to stdout what is no message of MCP: " + excerpt.Line(e.line)
}

// why is the reason of an error that may be but its consequence: what the server wrote could not be read.
func (p *program) why(err error) error {
	if p != nil {
		if cause := context.Cause(p.read); cause != nil && cause != io.EOF {
			return cause
		}
	}
	return err
}

// Write writes a message. A server that does not read blocks the pipe: then the writer goes on with its context, and
// the write ends with the program at the latest.
func (p *program) Write(ctx context.Context, m jsonrpc.Message) error {
	data, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	wrote := make(chan error, 1)
	go func() {
		p.writing.Lock()
		defer p.writing.Unlock()
		_, err := p.Process.Write(append(data, '\n'))
		wrote <- err
	}()
	select {
	case err = <-wrote:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil { // it takes no more: its last lines say why, or else its end
		select {
		case <-p.read.Done():
			err = context.Cause(p.read)
		case <-ctx.Done():
		case <-time.After(endTimeout):
		}
	}
	return err
}

// Close ends the program.
func (p *program) Close() error {
	p.End(endTimeout) // how it ended is no matter
	return nil
}

// remedy is what helps against an error, if that is known.
func remedy(err error, otherwise string) string {
	var p errPolluted
	if errors.As(err, &p) {
		return "let it write messages of MCP alone to stdout, and logs, banners and prints to stderr"
	}
	return otherwise
}
