package mcp

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"sparkd"
	"sparkd/env/connector"
)

// Env is one session of the server, from one Reset to the next.
type Env struct {
	connector.Copy
	source  *Source
	session *session
}

// Start begins a new session, and calls the reset tool in it if there is one. The text
// has the server's instructions, what that tool says, and the tools.
func (e *Env) Start(ctx context.Context, _ sparkd.Task, number int) (o sparkd.Observation, err error) {
	if e.session != nil {
		_ = e.session.close() // a server that lost it may well begin another
	}
	s := &e.source.settings
	e.session, err = e.source.connect(ctx, number)
	fields := map[string]any{}
	if err == nil && s.resetTool != "" {
		o, fields, err = e.callReset(ctx, number)
	}
	if err == nil {
		o.Goal, err = s.reading.Goal(fields)
	}
	if err != nil {
		return sparkd.Observation{}, err
	}
	var parts []string
	for _, p := range []string{e.session.mcp.InitializeResult().Instructions, o.Text, e.session.describe()} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	o.Text = strings.Join(parts, "\n\n")
	return o, nil
}

// callReset calls the reset tool.
func (e *Env) callReset(ctx context.Context, number int) (o sparkd.Observation, fields map[string]any, err error) {
	s := &e.source.settings
	arguments := maps.Clone(s.reset)
	arguments[s.index] = number
	r, err := e.session.call(ctx, s.resetTool, arguments)
	if err != nil {
		return o, nil, err
	}
	if r.IsError {
		return o, nil, sparkd.NewError(sparkd.CodeEnv, s.read.Field("reset_tool"),
			"set options index and reset to what it takes", "%s refuses: %s", s.resetTool, connector.Excerpt(textOf(r)))
	}
	return s.observe(s.resetTool, r)
}

// Act calls a tool: name {"argument": …}. Text that is no call is answered by the names
// of the tools, or by what the tool takes.
func (e *Env) Act(ctx context.Context, action string) (sparkd.Observation, error) {
	tool, arguments, err := parseAction(action)
	switch {
	case !e.session.callable(tool):
		return sparkd.Observation{Text: fmt.Sprintf("There is no tool %q. Tools: %s", connector.Excerpt(tool),
			strings.Join(e.session.names(), ", "))}, nil
	case err != nil:
		return sparkd.Observation{Text: "The arguments are not one JSON object. Write: " + e.session.usage(tool)}, nil
	}
	r, err := e.session.call(ctx, tool, arguments)
	if err != nil {
		return sparkd.Observation{}, err
	}
	o, _, err := e.source.settings.observe(tool, r)
	return o, err
}

// Replay resets to the task and repeats the actions. It refuses, before it calls any,
// where one of them may have effects outside the session.
func (e *Env) Replay(ctx context.Context, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	o, err := e.Reset(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := e.repeatable(actions); err != nil {
		return nil, err
	}
	seen := []sparkd.Observation{o}
	for _, action := range actions {
		if o.Done {
			break
		}
		if o, err = e.Step(ctx, action); err != nil {
			return nil, err
		}
		seen = append(seen, o)
	}
	return seen, nil
}

// repeatable returns an error if a path must not be repeated.
func (e *Env) repeatable(actions []string) error {
	s := &e.source.settings
	if s.allowReplay {
		return nil
	}
	for _, action := range actions {
		tool, _, err := parseAction(action)
		if err == nil && e.session.callable(tool) && effects(e.session.tools[tool]) {
			const remedy = `where its effects stay in the session, set it to "allow", or let the server say so ` +
				`(readOnlyHint, or destructiveHint and openWorldHint false)`
			return sparkd.NewError(sparkd.CodeEnv, s.read.Field("replay"), remedy, "the state cannot be copied: "+
				"tool %s may have effects outside the session, which a replay would repeat", tool)
		}
	}
	return nil
}

// End ends the session.
func (e *Env) End() error {
	if e.session == nil {
		return nil
	}
	return e.session.close()
}
