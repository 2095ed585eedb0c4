package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/connector"
	"sparkd/internal/jsonlines"
	"sparkd/internal/procgroup"
)

const (
	// protocol is the newest version of the specification that has sessions.
	protocol = "2025-11-25"
	// endTimeout is how long a program may take to end with its input, and then with SIGTERM.
	endTimeout = 2 * time.Second
	maxTools   = 1000
)

// session is one session of the server.
type session struct {
	source *Source
	mcp    *mcp.ClientSession
	tools  map[string]*mcp.Tool // those that the agent may call, and reset_tool
	cmd    *exec.Cmd            // nil over HTTP
	tail   *jsonlines.Tail      // its stderr
}

// connect begins a session for the task of that number.
func (s *Source) connect(ctx context.Context, number int) (*session, error) {
	limit, cancel := context.WithTimeout(ctx, s.settings.connectTimeout)
	defer cancel()
	k := &session{source: s}
	var err error
	if k.mcp, err = s.client.Connect(limit, s.transport(k, number),
		&mcp.ClientSessionOptions{ProtocolVersion: protocol}); err == nil {
		if err = k.list(limit); err == nil {
			return k, nil
		}
	}
	_ = k.close()
	return nil, s.refused(ctx, limit, k, err)
}

// transport prepares the way to the server.
func (s *Source) transport(k *session, number int) mcp.Transport {
	if s.settings.url != nil {
		// No standing stream for what the server says unasked, and a stream that breaks is an error.
		return &mcp.StreamableClientTransport{Endpoint: s.settings.url.String(), HTTPClient: s.HTTP, MaxRetries: -1,
			DisableStandaloneSSE: true, MaxEventSize: maxMessage}
	}
	args := slices.Clone(s.settings.command)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "{index}", strconv.Itoa(number))
	}
	k.tail = &jsonlines.Tail{Log: s.settings.log, Keep: 1}
	k.cmd = exec.Command(args[0], args[1:]...)
	// a token may be among them, and tools show what they see
	k.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SPARKD_") })
	k.cmd.Stderr, k.cmd.WaitDelay = k.tail, endTimeout
	procgroup.Bind(k.cmd)
	return &mcp.CommandTransport{Command: k.cmd, TerminateDuration: endTimeout}
}

// list learns the tools, and checks that those of the options are there.
func (k *session) list(ctx context.Context) error {
	s := &k.source.settings
	k.tools = map[string]*mcp.Tool{}
	var names []string
	for t, err := range k.mcp.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		if names = append(names, t.Name); len(names) > maxTools {
			return fmt.Errorf("it has more than %d tools", maxTools)
		}
		k.tools[t.Name] = t
	}
	slices.Sort(names)
	for key, wanted := range map[string][]string{"tools": s.tools, "reset_tool": {s.resetTool},
		"done_tool": {s.doneTool}} {
		for _, name := range wanted {
			if name != "" && k.tools[name] == nil {
				return sparkd.Invalid(s.read.Field(key), "one of "+strings.Join(names, ", "),
					"the server has no tool %q", name)
			}
		}
	}
	if s.tools == nil {
		return nil
	}
	for name := range k.tools {
		if !slices.Contains(s.tools, name) && name != s.resetTool && name != s.doneTool {
			delete(k.tools, name)
		}
	}
	return nil
}

// callable says whether the agent may call a tool.
func (k *session) callable(name string) bool {
	return k.tools[name] != nil && name != k.source.settings.resetTool
}

// call calls a tool. Arguments that the server's schema refuses are a result for the agent.
func (k *session) call(ctx context.Context, tool string, arguments map[string]any) (*mcp.CallToolResult, error) {
	limit, cancel := context.WithTimeout(ctx, k.source.settings.timeout)
	defer cancel()
	r, err := k.mcp.CallTool(limit, &mcp.CallToolParams{Name: tool, Arguments: arguments})
	var refused *jsonrpc.Error
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &refused) && refused.Code == jsonrpc.CodeInvalidParams:
		return &mcp.CallToolResult{IsError: true,
			Content: []mcp.Content{&mcp.TextContent{Text: connector.Excerpt(refused.Message)}}}, nil
	}
	return nil, k.failed(ctx, limit, tool, err)
}

// close ends the session, and with it a program and all that it started.
func (k *session) close() error {
	var err error
	if k.mcp != nil {
		err = k.mcp.Close()
	}
	if k.cmd != nil && k.cmd.Process != nil {
		procgroup.Kill(k.cmd.Process.Pid)
		return nil // how it ended is no matter
	}
	if err != nil {
		err = sparkd.NewError(sparkd.CodeEnv, "", "look at the server's log",
			"the MCP server does not end its session").Because(err)
	}
	return err
}

// refused words a session that could not begin.
func (s *Source) refused(ctx, limit context.Context, k *session, err error) error {
	var typed *sparkd.Error
	switch {
	case errors.As(err, &typed):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case limit.Err() != nil:
		field := s.settings.read.Field("connect_timeout")
		return sparkd.NewError(sparkd.CodeDeadline, field, "raise it, or look at the server",
			"the MCP server began no session within %v%s", s.settings.connectTimeout, k.tail.Words()).Because(err)
	}
	return sparkd.NewError(sparkd.CodeEnv, s.settings.server(), "start it by hand to see what it lacks",
		"no session with the MCP server: %s%s", connector.Excerpt(err.Error()), k.tail.Words()).Because(err)
}

// failed words a call that got no result.
func (k *session) failed(ctx, limit context.Context, tool string, err error) error {
	s := &k.source.settings
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limit.Err() != nil:
		return s.read.Late("MCP server", tool, s.timeout, err)
	}
	if k.cmd != nil && (errors.Is(err, io.EOF) || errors.Is(err, mcp.ErrConnectionClosed)) {
		_ = k.mcp.Close() // the program has ended: this waits for its last words
	}
	return sparkd.NewError(sparkd.CodeEnv, "", "look at the server's log", "the call of %s failed: %s%s", tool,
		connector.Excerpt(err.Error()), k.tail.Words()).Because(err)
}
