// Package agentgym plays environments behind HTTP servers of AgentGym (https://github.com/WooooDyy/AgentGym, the
// agentenv-* folders): create, reset, step, observation and close, with an id for each environment. The servers
// name the same things differently; options say how. They answer most errors with status 200 and a body {"error":
// "…"}, which is an error here. None can copy an environment, so states are copied by replay.
package agentgym

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"sparkd"
	"sparkd/env/connector"
)

// Options say where the server is and how it names things.
type Options struct {
	URL     string // http or https, with the prefix that all routes share, if any
	Workers int    // environments at most; 0 is [connector.DefaultPlaces]
	// Options holds those of package connector and, all as text:
	//
	//	id               field that names the environment in requests (id)
	//	index            field of a reset that takes the task's number (data_idx)
	//	create, reset, step  JSON objects that are sent along with every such request
	//	text             fields of an answer that make the text (observation or state,
	//	                 whichever is there first); an answer without is an error
	//	reward           field of the reward of a step (reward)
	//	splits           which numbers are tasks, "train=1000-, test=0-999" (train: all)
	Options map[string]string
}

// Source is an AgentGym server.
type Source struct {
	connector.Server
	settings settings

	mu   sync.Mutex        // guards what follows
	idle []json.RawMessage // ids to use again, where the server cannot close
	held map[string]bool   // ids of the copies that are open, plain
}

// settings are the options, read.
type settings struct {
	read      *connector.Settings
	url       *url.URL
	id, index string
	create    map[string]any
	reset     map[string]any
	step      map[string]any
	reward    string
	splits    connector.Splits
	reading   connector.Reading
	timeout   time.Duration
}

// Open reads the options. It does not yet connect.
func Open(_ context.Context, name string, o Options) (*Source, error) {
	r := connector.Read(name, o.Options)
	s := settings{
		read:    r,
		url:     r.URL(o.URL, "http", "https"),
		id:      r.Text("id", "id"),
		index:   r.Text("index", "data_idx"),
		create:  r.Object("create"),
		reset:   r.Object("reset"),
		step:    r.Object("step"),
		reward:  r.Text("reward", "reward"),
		splits:  r.Splits(connector.Splits{"train": {First: 0, Count: sparkd.Unbounded}}),
		reading: r.Reading("observation", "state"),
		timeout: r.Duration("timeout", time.Minute),
	}
	token, most, places, steps := r.Token(), r.MiB("max_message", 16), r.Places(o.Workers), r.Steps()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &Source{settings: s, held: map[string]bool{},
		Server: connector.Server{Name: name, About: "AgentGym server at " + s.url.Redacted(),
			Splits: s.splits, MaxSteps: steps, Places: places, HTTP: connector.HTTP(s.url, token, most)}}, nil
}

// Open returns a fresh copy as soon as fewer than Workers are open.
func (s *Source) Open(ctx context.Context) (sparkd.Env, error) { return s.Fresh(ctx, &Env{source: s}) }

// create returns the id of an environment of the server: one that an earlier copy left, or a new one.
func (s *Source) create(ctx context.Context) (json.RawMessage, error) {
	if id := s.waiting(); id != nil {
		return id, nil
	}
	data, err := s.post(ctx, "create", s.settings.create)
	if err != nil {
		return nil, err
	}
	id, err := s.settings.created(data)
	if err == nil {
		err = s.hold(id)
	}
	if err != nil {
		return nil, err
	}
	return id, nil
}

// waiting returns an id that waits to be used again, or nil.
func (s *Source) waiting() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.idle) - 1
	if last < 0 {
		return nil
	}
	id := s.idle[last]
	s.idle = s.idle[:last]
	s.held[plain(id)] = true
	return id
}

// hold notes the id of a copy. One that another copy has is refused: they would step one environment. WebShop and
// SQLGym give ids out once more when they hold as many environments as they can.
func (s *Source) hold(id json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := func(other json.RawMessage) bool { return plain(other) == plain(id) }
	if s.held[plain(id)] || slices.ContainsFunc(s.idle, same) {
		field := s.settings.read.Section("workers")
		const remedy = "lower it to the environments that the server can hold (SQLGym: 8)"
		return sparkd.NewError(sparkd.CodeEnv, field, remedy, "the AgentGym server answers create with the %s %s, "+
			"which is that of another copy", s.settings.id, connector.Excerpt(plain(id)))
	}
	s.held[plain(id)] = true
	return nil
}

// remove closes an environment of the server. Some servers cannot: there it waits for
// another copy, which resets it, unless it is broken: a step may still be under way in it.
func (s *Source) remove(ctx context.Context, id json.RawMessage, broken bool) error {
	s.mu.Lock()
	delete(s.held, plain(id)) // from here on the server may give it out again
	s.mu.Unlock()
	_, err := s.post(ctx, "close", map[string]any{s.settings.id: id})
	if !noRoute(err) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !broken && !s.held[plain(id)] {
		s.idle = append(s.idle, id)
	}
	return nil
}
