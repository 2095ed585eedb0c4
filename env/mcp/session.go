package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/connector"
)

const (
	// protocol is the newest version of the specification that has sessions.
	protocol = "2025-11-25"
	maxTools = 1000
)

// session is one session of the server.
type session struct {
	source  *Source
	mcp     *mcp.ClientSession
	tools   map[string]*mcp.Tool
	program *program // nil over HTTP
}

// connect begins a session for the task of that number.
func (s *Source) connect(ctx context.Context, number int) (*session, error) {
	limit, cancel := context.WithTimeout(ctx, s.settings.connectTimeout)
	defer cancel()
	k := &session{source: s}
	transport, err := s.transport(k, number)
	if err == nil {
		k.mcp, err = s.client.Connect(limit, transport, &mcp.ClientSessionOptions{ProtocolVersion: protocol})
	}
	if err == nil {
		err = k.own()
	}
	if err == nil {
		err = k.list(limit)
	}
	if err == nil {
		err = k.listed()
	}
	if err == nil {
		return k, nil
	}
	_ = k.close()
	return nil, s.refused(ctx, limit, k, err)
}

// transport prepares the way to the server.
func (s *Source) transport(k *session, number int) (t mcp.Transport, err error) {
	if s.settings.url != nil {
		// No standing stream for what the server says unasked, and a stream that breaks is an error.
		return &mcp.StreamableClientTransport{Endpoint: s.settings.url.String(), HTTPClient: s.HTTP, MaxRetries: -1,
			DisableStandaloneSSE: true, MaxEventSize: maxMessage}, nil
	}
	k.program, err = s.settings.launch(number)
	return k.program, err
}

// own refuses a server that does not tell its sessions apart.
func (k *session) own() error {
	s := &k.source.settings
	if s.url == nil || s.shared || k.mcp.ID() != "" {
		return nil
	}
	const remedy = `have it give session IDs (it may be set to "stateless"), or start it by command; where its tools ` +
		`keep no state, set option sessions to "shared"`
	return sparkd.Invalid(s.read.Section("url"), remedy,
		"the MCP server at %s gives no session ID, so that all copies would share one state", s.url.Redacted())
}

// list learns the tools.
func (k *session) list(ctx context.Context) error {
	tools := map[string]*mcp.Tool{}
	for t, err := range k.mcp.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		if tools[t.Name] = t; len(tools) > maxTools {
			return fmt.Errorf("it has more than %d tools", maxTools)
		}
	}
	k.tools = tools
	return nil
}

// listed checks that the tools of the options are there.
func (k *session) listed() error {
	s := &k.source.settings
	for key, wanted := range map[string][]string{"tools": s.tools, "reset_tool": {s.resetTool},
		"done_tool": {s.doneTool}} {
		for _, name := range wanted {
			if name != "" && k.tools[name] == nil {
				there := strings.Join(slices.Sorted(maps.Keys(k.tools)), ", ")
				return sparkd.Invalid(s.read.Field(key), "one of "+there, "the server has no tool %q", name)
			}
		}
	}
	return nil
}

// relist learns the tools anew, where the server says that they may change, and reports whether they did. It does so
// after every call, not when the server says that they have changed: when that comes is chance, and what the agent
// reads must be the same in every copy.
func (k *session) relist(ctx context.Context) (changed bool, err error) {
	if c := k.mcp.InitializeResult().Capabilities; c == nil || c.Tools == nil || !c.Tools.ListChanged {
		return false, nil
	}
	limit, cancel := context.WithTimeout(ctx, k.source.settings.timeout)
	defer cancel()
	before := k.describe()
	if err := k.list(limit); err != nil {
		return false, k.failed(ctx, limit, "tools/list", err)
	}
	return k.describe() != before, nil
}

// callable says whether the agent may call a tool.
func (k *session) callable(name string) bool {
	s := &k.source.settings
	return k.tools[name] != nil && name != s.resetTool &&
		(s.tools == nil || slices.Contains(s.tools, name) || name == s.doneTool)
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
	if k.program != nil {
		return k.program.Close()
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
			"the MCP server began no session within %v%s", s.settings.connectTimeout, k.words()).Because(err)
	}
	err = k.program.why(err)
	return sparkd.NewError(sparkd.CodeEnv, s.settings.server(), remedy(err, "start it by hand to see what it lacks"),
		"no session with the MCP server: %s%s", connector.Excerpt(err.Error()), k.words()).Because(err)
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
	if k.program != nil && (errors.Is(err, io.EOF) || errors.Is(err, mcp.ErrConnectionClosed)) {
		_ = k.mcp.Close() // the program has ended: this waits for its last words
	}
	err = k.program.why(err)
	return sparkd.NewError(sparkd.CodeEnv, "", remedy(err, "look at the server's log"), "the call of %s failed: %s%s",
		tool, connector.Excerpt(err.Error()), k.words()).Because(err)
}

// words are the last ones of a program.
func (k *session) words() string {
	if k.program == nil {
		return ""
	}
	return k.program.Tail.Words()
}
