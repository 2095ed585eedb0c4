package agentgym

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"sparkd"
	"sparkd/env/connector"
)

// closeTimeout bounds how long the end of an environment is waited for.
const closeTimeout = 5 * time.Second

// Env is one environment of the server, which a Reset creates where there is none.
type Env struct {
	connector.Copy
	source *Source
	id     json.RawMessage // nil: none
}

// Start starts a task.
func (e *Env) Start(ctx context.Context, _ sparkd.Task, number int) (o sparkd.Observation, err error) {
	if err := e.fresh(ctx); err != nil {
		return o, err
	}
	s := &e.source.settings
	request := maps.Clone(s.reset)
	request[s.id], request[s.index] = e.id, number
	data, err := e.source.post(ctx, "reset", request)
	if err != nil {
		return o, err
	}
	fields, err := s.answered("reset", data)
	if err == nil && fields == nil { // a reset that tells nothing
		fields, err = e.observation(ctx)
	}
	if err == nil {
		o, err = s.observe(fields, true)
	}
	if err == nil {
		o.Goal, err = s.reading.Goal(fields)
	}
	return o, err
}

// fresh makes sure of an environment. One that an error cut off is given up: a step may still be under way in it.
func (e *Env) fresh(ctx context.Context) (err error) {
	if e.id != nil && e.Broken() {
		_ = e.source.remove(ctx, e.id, true) // it may be lost already
		e.id = nil
	}
	if e.id == nil {
		e.id, err = e.source.create(ctx)
	}
	return err
}

// observation asks for the observation.
func (e *Env) observation(ctx context.Context) (map[string]any, error) {
	data, err := e.source.get(ctx, "observation", e.id)
	if err != nil {
		return nil, err
	}
	fields, err := e.source.settings.answered("observation", data)
	if err == nil && fields == nil {
		err = e.source.settings.garbage("neither reset nor observation tells anything", nil)
	}
	return fields, err
}

// Act sends an action.
func (e *Env) Act(ctx context.Context, action string) (o sparkd.Observation, err error) {
	s := &e.source.settings
	request := maps.Clone(s.step)
	request[s.id], request["action"] = e.id, action
	data, err := e.source.post(ctx, "step", request)
	if err != nil {
		return o, err
	}
	fields, err := s.answered("step", data)
	if err != nil {
		return o, err
	}
	return s.observe(fields, false)
}

// End ends the environment.
func (e *Env) End() error {
	if e.id == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return e.source.remove(ctx, e.id, e.Broken())
}

// observe reads the fields of an answer. A reset may leave reward and done out.
func (s *settings) observe(fields map[string]any, reset bool) (o sparkd.Observation, err error) {
	value, some := fields[s.reward]
	reward, err := connector.Number(value)
	switch {
	case err != nil:
		return o, s.garbage("its reward "+err.Error(), err)
	case !reset && (!some || value == nil):
		return o, s.garbage("a step without field "+s.reward, errors.New("no reward"))
	}
	value, some = fields["done"]
	done, is := value.(bool)
	if !is && (some || !reset) {
		return o, s.garbage("it does not say whether the episode is done", errors.New("no done"))
	}
	return s.reading.Observe(fields, reward, done)
}
