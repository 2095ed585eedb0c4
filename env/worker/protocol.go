package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/excerpt"
)

// version of the protocol that is spoken here.
const version = 1

// Bounds of what a worker may say.
const (
	maxLine     = 16 << 20 // bytes of an answer
	maxSessions = 1024
	maxWords    = 2000 // runes of its words that go into an error
)

// request is one line to a worker. Which fields an op has, docs/environments-reference.md says.
type request struct {
	ID       uint64            `json:"id"`
	Op       string            `json:"op"`
	Protocol int               `json:"protocol,omitzero"`
	Options  map[string]string `json:"options,omitzero"`
	Session  string            `json:"session,omitzero"`
	To       string            `json:"to,omitzero"`
	Task     *task             `json:"task,omitzero"`
	Action   *string           `json:"action,omitzero"`
	Actions  []string          `json:"actions,omitzero"`
	State    []byte            `json:"state,omitzero"` // base64
}

// limit is the time in which a request must be answered.
func (r *request) limit(o *Options) time.Duration {
	if r.Op == "hello" {
		return o.StartTimeout
	}
	return o.CallTimeout * time.Duration(len(r.Actions)+1)
}

type task struct {
	Split string `json:"split"`
	Index int    `json:"index"`
}

func taskOf(t sparkd.Task) *task { return &task{Split: t.Split, Index: t.Index} }

// breach is an answer that the protocol does not allow. Its worker is not to be trusted any more.
type breach string

func (b breach) Error() string { return string(b) }

func breachf(format string, args ...any) breach { return breach(fmt.Sprintf(format, args...)) }

// read reads an ok object into v.
func read(ok []byte, what string, v any) error {
	if err := json.Unmarshal(ok, v); err != nil {
		return breachf("its %s cannot be read: %v", what, err)
	}
	return nil
}

// parseAnswer reads the answer to request id: its ok, or as a *sparkd.Error the failure that it reports.
func parseAnswer(line []byte, id uint64) (json.RawMessage, error) {
	var a struct {
		ID    *uint64         `json:"id"`
		OK    json.RawMessage `json:"ok"`
		Error *struct{ Code, Message, Field, Remedy string }
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, breachf("it wrote a line that is no answer: %s", excerpt.Line(line))
	}
	switch {
	case a.ID == nil || *a.ID != id:
		return nil, breachf("it wrote an answer without id %d, that of the request: %s", id, excerpt.Line(line))
	case a.Error != nil && a.OK != nil:
		return nil, breach("its answer has both ok and error: " + excerpt.Line(line))
	case a.Error != nil:
		code := sparkd.CodeEnv
		if a.Error.Code == string(sparkd.CodeInvalid) {
			code = sparkd.CodeInvalid
		}
		return nil, sparkd.NewError(code, excerpt.Text(a.Error.Field, maxWords), excerpt.Text(a.Error.Remedy, maxWords),
			"%s", excerpt.Text(a.Error.Message, maxWords))
	case !bytes.HasPrefix(a.OK, []byte("{")):
		return nil, breach("its answer has neither an ok object nor an error object: " + excerpt.Line(line))
	}
	return a.OK, nil
}

// observation is what a reset or a step answers.
type observation struct {
	Text       *string  `json:"text"`
	Goal       string   `json:"goal"`
	Admissible []string `json:"admissible"`
	Reward     float64  `json:"reward"`
	Done       bool     `json:"done"`
	Success    bool     `json:"success"`
}

func (o *observation) domain() (sparkd.Observation, error) {
	if o.Text == nil {
		return sparkd.Observation{}, breach("its observation has no text")
	}
	slices.Sort(o.Admissible)
	return sparkd.Observation{Text: *o.Text, Goal: o.Goal, Admissible: o.Admissible, Reward: o.Reward, Done: o.Done,
		Success: o.Done && o.Success}, nil
}

func parseObservation(ok []byte) (sparkd.Observation, error) {
	var o observation
	if err := read(ok, "observation", &o); err != nil {
		return sparkd.Observation{}, err
	}
	return o.domain()
}

// parseReplay reads the observations of a replay of n actions.
func parseReplay(ok []byte, n int) ([]sparkd.Observation, error) {
	var r struct {
		Observations []observation `json:"observations"`
	}
	if err := read(ok, "replay", &r); err != nil {
		return nil, err
	}
	seen := make([]sparkd.Observation, len(r.Observations))
	for i := range seen {
		o, err := r.Observations[i].domain()
		if err != nil {
			return nil, err
		}
		if seen[i] = o; o.Done && i < len(seen)-1 {
			return nil, breach("its replay goes on after the end of the episode")
		}
	}
	if len(seen) > n+1 || len(seen) == 0 || len(seen) < n+1 && !seen[len(seen)-1].Done {
		return nil, breachf("its replay of %d actions has %d observations", n, len(seen))
	}
	return seen, nil
}

// hello is what a worker says about itself.
type hello struct {
	Protocol int                 `json:"protocol"`
	Name     string              `json:"name"`
	Version  string              `json:"version"`
	About    string              `json:"about"`
	Splits   map[string]int      `json:"splits"`
	MaxSteps int                 `json:"max_steps"`
	Fork     string              `json:"fork"`
	Replay   bool                `json:"replay"`
	Sessions int                 `json:"sessions"`
	Names    map[string][]string `json:"names"`
	Examples []sparkd.Example    `json:"examples"`
}

// parseHello reads and checks the answer to hello.
func parseHello(ok json.RawMessage) (hello, error) {
	h := hello{Sessions: 1}
	if err := read(ok, "hello", &h); err != nil {
		return h, err
	}
	switch {
	case h.Protocol != version:
		return h, breachf("it speaks protocol %d, not %d", h.Protocol, version)
	case len(h.Splits) == 0:
		return h, breach("its hello has no splits")
	case h.MaxSteps < 1:
		return h, breachf("its hello has max_steps = %d, which must be at least 1", h.MaxSteps)
	case h.Sessions < 1 || h.Sessions > maxSessions:
		return h, breachf("its hello has sessions = %d, which must be from 1 to %d", h.Sessions, maxSessions)
	case h.Fork != sparkd.ForkNative && h.Fork != sparkd.ForkSnapshot && h.Fork != sparkd.ForkReplay:
		return h, breachf("its hello has fork = %q, which must be native, snapshot or replay",
			excerpt.Text(h.Fork, maxWords))
	}
	for i, e := range h.Examples {
		if e.Text == "" || e.Reason == "" || e.Action == "" {
			return h, breachf("example %d of its hello lacks text, reason or action", i)
		}
	}
	for _, split := range slices.Sorted(maps.Keys(h.Splits)) {
		if n := h.Splits[split]; split == "" || strings.Contains(split, "/") || n < 1 && n != sparkd.Unbounded {
			return h, breachf("its hello has %d tasks in split %q; a split has a name without a slash "+
				"and at least one task, or -1 for any number", n, excerpt.Text(split, maxWords))
		}
	}
	for _, split := range slices.Sorted(maps.Keys(h.Names)) {
		if n := len(h.Names[split]); n != h.Splits[split] {
			return h, breachf("its hello names %d tasks of split %q, which has %d", n,
				excerpt.Text(split, maxWords), h.Splits[split])
		}
	}
	return h, nil
}

// has checks that there is a task.
func (h *hello) has(t sparkd.Task) error {
	n, ok := h.Splits[t.Split]
	switch {
	case !ok:
		return sparkd.Invalid("tasks.split", "one of "+strings.Join(slices.Sorted(maps.Keys(h.Splits)), ", "),
			"%s has no split %q", t.Env, t.Split)
	case t.Index < 0 || n != sparkd.Unbounded && t.Index >= n:
		return sparkd.Invalid("tasks.indices", fmt.Sprintf("%s/%s has %d tasks, counted from 0", t.Env, t.Split, n),
			"there is no task %d", t.Index)
	}
	return nil
}
