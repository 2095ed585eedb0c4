package worker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sparkd"
	"sparkd/internal/excerpt"
	"sparkd/internal/jsonlines"
)

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
	Names    map[string][]string `json:"names,omitzero"`
	Examples []sparkd.Example    `json:"examples,omitzero"`
}

// parseHello reads and checks the answer to hello.
func parseHello(ok []byte) (hello, error) {
	h := hello{Sessions: 1}
	f := jsonlines.FieldsOf("hello", ok)
	f.Read("protocol", &h.Protocol)
	f.Read("name", &h.Name)
	f.Read("version", &h.Version)
	f.Read("about", &h.About)
	f.Need("splits", &h.Splits)
	f.Read("max_steps", &h.MaxSteps)
	f.Read("fork", &h.Fork)
	f.Read("replay", &h.Replay)
	f.Read("sessions", &h.Sessions)
	f.Read("names", &h.Names)
	var examples []json.RawMessage
	f.Read("examples", &examples)
	if err := breached(f.End()); err != nil {
		return h, err
	}
	for i, data := range examples {
		e, err := parseExample(fmt.Sprintf("example %d in hello", i), data)
		if err != nil {
			return h, err
		}
		h.Examples = append(h.Examples, e)
	}
	return h, h.check()
}

func parseExample(what string, data []byte) (e sparkd.Example, err error) {
	f := jsonlines.FieldsOf(what, data)
	f.Read("text", &e.Text)
	f.Read("admissible", &e.Admissible)
	f.Read("surprised", &e.Surprised)
	f.Read("reason", &e.Reason)
	f.Read("action", &e.Action)
	return e, breached(f.End())
}

// check finds what a hello says that cannot be.
func (h *hello) check() error {
	switch {
	case h.Protocol != version:
		return breachf("it speaks protocol %d, not %d", h.Protocol, version)
	case len(h.Splits) == 0:
		return breach("its hello has no splits")
	case h.MaxSteps < 1:
		return breachf("its hello has max_steps = %d, which must be at least 1", h.MaxSteps)
	case h.Sessions < 1 || h.Sessions > maxSessions:
		return breachf("its hello has sessions = %d, which must be from 1 to %d", h.Sessions, maxSessions)
	case h.Fork != sparkd.ForkNative && h.Fork != sparkd.ForkSnapshot && h.Fork != sparkd.ForkReplay:
		return breachf("its hello has fork = %q, which must be native, snapshot or replay",
			excerpt.Text(h.Fork, maxWords))
	}
	for i, e := range h.Examples {
		if e.Text == "" || e.Reason == "" || e.Action == "" {
			return breachf("example %d of its hello lacks text, reason or action", i)
		}
	}
	for _, split := range slices.Sorted(maps.Keys(h.Splits)) {
		if n := h.Splits[split]; split == "" || strings.Contains(split, "/") || n < 1 && n != sparkd.Unbounded {
			return breachf("its hello has %d tasks in split %q; a split has a name without a slash "+
				"and at least one task, or -1 for any number", n, excerpt.Text(split, maxWords))
		}
	}
	for _, split := range slices.Sorted(maps.Keys(h.Names)) {
		if n := len(h.Names[split]); n != h.Splits[split] {
			return breachf("its hello names %d tasks of split %q, which has %d", n,
				excerpt.Text(split, maxWords), h.Splits[split])
		}
	}
	return nil
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
