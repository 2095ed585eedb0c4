// Package openenv plays environments of OpenEnv servers (https://github.com/meta-pytorch/OpenEnv). A copy is one
// WebSocket session of the server's /ws: reset, step, state and close as JSON messages, answered one at a time.
// The protocol is that of openenv 0.10.0 (openenv/core/env_server, types.py and http_server.py). The server cannot
// copy a session, so states are copied by replay.
package openenv

import (
	"context"
	"net/url"
	"strings"
	"time"

	"sparkd"
	"sparkd/env/connector"
)

// Options say where the server is and how its messages are to be read.
type Options struct {
	URL     string // http, https, ws or wss; the path /ws is added where it is missing
	Workers int    // sessions at most; 0 is [connector.DefaultPlaces]
	// Options holds those of package connector and, all as text:
	//
	//	action           field of the step data that takes the agent's action (message)
	//	action_json      true: the action itself is the step data, as a JSON object
	//	step, reset      JSON objects that are sent along with every step, every reset
	//	splits           which seeds are tasks, "train=1000-, test=0-999" (train: all)
	//	episode_id       true: a reset names the episode after the task
	//	text             fields of the observation that make the text (text, message or
	//	                 observation, whichever is there first, else all as JSON)
	//	execution_error  fail: an exception of the environment ends the branch; observe: the
	//	                 agent reads it, for environments that raise on a wrong move
	//	connect_timeout  longest time a connection takes (10s)
	Options map[string]string
}

// Source is an OpenEnv server.
type Source struct {
	connector.Server
	settings settings
}

// settings are the options, read.
type settings struct {
	read           *connector.Settings
	url            *url.URL
	action         string
	actionJSON     bool
	step, reset    map[string]any
	splits         connector.Splits
	episodeID      bool
	reading        connector.Reading
	observeErrors  bool
	connectTimeout time.Duration
	timeout        time.Duration
	maxMessage     int64
}

// Open reads the options. It does not yet connect.
func Open(_ context.Context, name string, o Options) (*Source, error) {
	r := connector.Read(name, o.Options)
	s := settings{
		read:           r,
		url:            r.URL(o.URL, "http", "https", "ws", "wss"),
		action:         r.Text("action", "message"),
		actionJSON:     r.Bool("action_json"),
		step:           r.Object("step"),
		reset:          r.Object("reset"),
		splits:         r.Splits(connector.Splits{"train": {First: 0, Count: sparkd.Unbounded}}),
		episodeID:      r.Bool("episode_id"),
		reading:        r.Reading("text", "message", "observation"),
		observeErrors:  r.Choice("execution_error", "fail", "observe") == "observe",
		connectTimeout: r.Duration("connect_timeout", 10*time.Second),
		timeout:        r.Duration("timeout", time.Minute),
		maxMessage:     r.MiB("max_message", 16),
	}
	token, places, steps := r.Token(), r.Places(o.Workers), r.Steps()
	if err := r.Err(); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(s.url.Path, "/ws") {
		s.url = s.url.JoinPath("ws")
	}
	return &Source{settings: s, Server: connector.Server{Name: name, About: "OpenEnv server at " + s.url.Redacted(),
		Splits: s.splits, MaxSteps: steps, Places: places, HTTP: connector.HTTP(s.url, token, s.maxMessage)}}, nil
}

// Open returns a fresh copy as soon as fewer than Workers are open.
func (s *Source) Open(ctx context.Context) (sparkd.Env, error) { return s.Fresh(ctx, &Env{source: s}) }
