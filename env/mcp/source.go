// Package mcp plays the tools of an MCP server (https://modelcontextprotocol.io) as an environment: an action
// calls a tool, the result is the observation. A copy is one session, over the stdio of a program or over
// streamable HTTP, by the official Go SDK; a Reset begins a new one.
//
// # Replay
//
// States are copied by replay, which repeats calls. What a call changes outside the session would be changed
// twice, so [Env.Replay] refuses a path with a call of a tool that may do so by its annotations (or their defaults
// in the specification), unless option replay is "allow". The branch that needed the copy then fails with that
// error, and no other does.
package mcp

import (
	"context"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/connector"
)

// maxMessage bounds a message of the server; the SDK has the same bound for stdio.
const maxMessage = 16 << 20

// Options say which server it is and what its tools mean.
type Options struct {
	// Command is the program and arguments of a server on stdio. "{index}" in an argument
	// becomes the number of the task.
	Command []string
	URL     string // of a server on streamable HTTP, instead of Command
	Workers int    // sessions at most; 0 is [connector.DefaultPlaces]
	// Options holds those of package connector and, all as text:
	//
	//	tools            names of the tools that the agent may call (all)
	//	reset_tool       tool that a reset calls in the new session, hidden from the agent
	//	index            its argument that takes the task's number (seed)
	//	reset            JSON object of its other arguments
	//	splits           which numbers are tasks, "train=1000-, test=0-999" (train: all, or
	//	                 one task where neither reset_tool nor "{index}" tells them apart)
	//	done_tool        tool whose call ends the episode
	//	done, reward     fields of a result's structured content (done, reward)
	//	text             fields of it that make the text, where a result has them
	//	replay           annotations: copy a state only if no tool on its path may have
	//	                 effects outside the session; allow: always
	//	sessions         own: refuse a server over HTTP that gives no session IDs; shared:
	//	                 its tools keep no state
	//	connect_timeout  longest time the start of a session takes (30s)
	Options map[string]string
	// Log gets what a program writes to stderr, line by line. It is called by several goroutines. nil drops it.
	Log func(line string)
}

// Source is an MCP server.
type Source struct {
	connector.Server
	settings settings
	client   *mcp.Client
}

// settings are the options, read.
type settings struct {
	read           *connector.Settings
	command        []string
	url            *url.URL
	log            func(string)
	tools          []string
	resetTool      string
	index          string
	reset          map[string]any
	splits         connector.Splits
	doneTool       string
	done, reward   string
	fromFields     bool // the text, too
	reading        connector.Reading
	allowReplay    bool
	shared         bool
	connectTimeout time.Duration
	timeout        time.Duration
}

// Open reads the options. A program is started once, to see that it works; a server at a URL is not yet needed.
func Open(ctx context.Context, name string, o Options) (*Source, error) {
	s, err := prepare(name, o)
	if err != nil || s.settings.url != nil {
		return s, err
	}
	k, err := s.connect(ctx, 0)
	if err != nil {
		return nil, err
	}
	return s, k.close()
}

// Check finds what Open would refuse before it starts a program.
func Check(name string, o Options) error {
	_, err := prepare(name, o)
	return err
}

// prepare reads the options, and looks for the program.
func prepare(name string, o Options) (*Source, error) {
	r := connector.Read(name, o.Options)
	s := &Source{settings: read(r, o)}
	s.Server = connector.Server{Name: name, Splits: s.settings.splits, MaxSteps: r.Steps(), Places: r.Places(o.Workers)}
	token := r.Token()
	if o.URL != "" {
		s.settings.url = r.URL(o.URL, "http", "https")
	}
	switch err := r.Err(); {
	case err != nil:
		return nil, err
	case (o.URL == "") == (len(o.Command) == 0):
		return nil, sparkd.Invalid(r.Section("command"), "set one of command and url",
			"an MCP server is either a program or an address")
	case o.Options["splits"] != "" && !s.settings.numbered():
		return nil, sparkd.Invalid(r.Field("splits"), `set option reset_tool, or write "{index}" into command`,
			"nothing tells the server which task it is")
	}
	s.client = mcp.NewClient(&mcp.Implementation{Name: "sparkd", Version: "1"},
		&mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	if s.settings.url != nil {
		s.HTTP = connector.HTTP(s.settings.url, token, maxMessage)
		s.About = "MCP server at " + s.settings.url.Redacted()
		return s, nil
	}
	if _, err := exec.LookPath(o.Command[0]); err != nil {
		return nil, sparkd.NewError(sparkd.CodeEnv, s.settings.server(), "install it, or give its full path",
			"cannot find the program %q", o.Command[0]).Because(err)
	}
	s.About = "MCP server " + strings.Join(o.Command, " ")
	return s, nil
}

func read(r *connector.Settings, o Options) settings {
	s := settings{
		read:           r,
		command:        o.Command,
		log:            o.Log,
		tools:          r.List("tools"),
		resetTool:      r.Text("reset_tool", ""),
		index:          r.Text("index", "seed"),
		reset:          r.Object("reset"),
		doneTool:       r.Text("done_tool", ""),
		done:           r.Text("done", "done"),
		reward:         r.Text("reward", "reward"),
		fromFields:     o.Options["text"] != "",
		reading:        r.Reading(),
		allowReplay:    r.Choice("replay", "annotations", "allow") == "allow",
		shared:         r.Choice("sessions", "own", "shared") == "shared",
		connectTimeout: r.Duration("connect_timeout", 30*time.Second),
		timeout:        r.Duration("timeout", time.Minute),
	}
	if s.log == nil {
		s.log = func(string) {}
	}
	tasks := 1
	if s.numbered() {
		tasks = sparkd.Unbounded
	}
	s.splits = r.Splits(connector.Splits{"train": {First: 0, Count: tasks}})
	return s
}

// numbered says whether the server is told a task's number.
func (s *settings) numbered() bool {
	return s.resetTool != "" || slices.ContainsFunc(s.command,
		func(a string) bool { return strings.Contains(a, "{index}") })
}

// server names the key of the section that says which server it is.
func (s *settings) server() string {
	if s.url != nil {
		return s.read.Section("url")
	}
	return s.read.Section("command")
}

// Open returns a fresh copy as soon as fewer than Workers are open.
func (s *Source) Open(ctx context.Context) (sparkd.Env, error) { return s.Fresh(ctx, &Env{source: s}) }
