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
		if o, fields, err = e.callReset(ctx, number); err == nil {
			_, err = e.session.relist(ctx)
		}
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

// Act calls a tool: name {"argument": …}. Text that is no call is answered by the names of the tools and the form of a
// call, or by what the tool takes. Where the tools have changed, the text has them.
func (e *Env) Act(ctx context.Context, action string) (o sparkd.Observation, err error) {
	c, err := e.resolve(ctx, action)
	switch {
	case err != nil:
		return o, err
	case !e.session.callable(c.tool):
		return sparkd.Observation{Text: fmt.Sprintf("There is no tool %q. Tools: %s.%s", connector.Excerpt(c.tool),
			strings.Join(e.session.names(), ", "), e.session.form(action))}, nil
	case c.unreadable != nil:
		return sparkd.Observation{Text: "The arguments are not one JSON object. Write: " + e.session.usage(c.tool)}, nil
	}
	r, err := e.session.call(ctx, c.tool, c.arguments)
	if err != nil {
		return o, err
	}
	if o, _, err = e.source.settings.observe(c.tool, r); err != nil || o.Done {
		return o, err
	}
	changed, err := e.session.relist(ctx)
	if changed {
		o.Text += "\n\nThe tools have changed. " + e.session.describe()
	}
	return o, err
}

// resolve reads a call. The tool may be one that the server has only now.
func (e *Env) resolve(ctx context.Context, action string) (c call, err error) {
	c = parseAction(action, e.session.names())
	if !e.session.callable(c.tool) {
		if _, err = e.session.relist(ctx); err == nil {
			c = parseAction(action, e.session.names())
		}
	}
	return c, err
}

// Replay resets to the task and repeats the actions. It refuses one that may have effects outside the session, before
// it calls it.
func (e *Env) Replay(ctx context.Context, t sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	o, err := e.Reset(ctx, t)
	if err != nil {
		return nil, err
	}
	seen := []sparkd.Observation{o}
	for _, action := range actions {
		if o.Done {
			break
		}
		if err = e.repeatable(ctx, action); err == nil {
			o, err = e.Step(ctx, action)
		}
		if err != nil {
			return nil, err
		}
		seen = append(seen, o)
	}
	return seen, nil
}

// repeatable returns an error if an action must not be repeated.
func (e *Env) repeatable(ctx context.Context, action string) error {
	s := &e.source.settings
	if s.allowReplay {
		return nil
	}
	c, err := e.resolve(ctx, action)
	if err != nil || c.unreadable != nil || !e.session.callable(c.tool) || !effects(e.session.tools[c.tool]) {
		return err
	}
	const remedy = `where its effects stay in the session, set it to "allow", or let the server say so ` +
		`(readOnlyHint, or destructiveHint and openWorldHint false)`
	return sparkd.NewError(sparkd.CodeEnv, s.read.Field("replay"), remedy, "the state cannot be copied: "+
		"tool %s may have effects outside the session, which a replay would repeat", c.tool)
}

// End ends the session.
func (e *Env) End() error {
	if e.session == nil {
		return nil
	}
	return e.session.close()
}
