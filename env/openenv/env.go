package openenv

import (
	"context"
	"errors"
	"maps"

	"sparkd"
	"sparkd/env/connector"
)

// Env is one session of the server, which a Reset opens where none is open.
type Env struct {
	connector.Copy
	source *Source
	socket *socket
}

// Start starts a task: its number is the seed.
func (e *Env) Start(ctx context.Context, t sparkd.Task, seed int) (o sparkd.Observation, err error) {
	if err := e.connect(ctx); err != nil {
		return o, err
	}
	s := &e.source.settings
	data := maps.Clone(s.reset)
	data["seed"] = seed
	if s.episodeID {
		data["episode_id"] = t.String()
	}
	answer, err := e.socket.ask(ctx, message{Type: "reset", Data: data})
	if err == nil {
		o, err = s.observe(answer)
	}
	if err == nil {
		o.Goal, err = s.reading.Goal(answer.Observation)
	}
	return o, err
}

// connect opens a session, unless one is open that works.
func (e *Env) connect(ctx context.Context) (err error) {
	if e.socket != nil && e.socket.ended() {
		e.socket.close()
		e.socket = nil
	}
	if e.socket == nil {
		e.socket, err = e.source.dial(ctx)
	}
	return err
}

// Act sends an action. An action that the server's schema refuses is answered by an observation that says why,
// and so is an exception of the environment where option execution_error says so.
func (e *Env) Act(ctx context.Context, action string) (sparkd.Observation, error) {
	s := &e.source.settings
	data, complaint := s.stepData(action)
	if complaint != "" {
		return sparkd.Observation{Text: complaint}, nil
	}
	answer, err := e.socket.ask(ctx, message{Type: "step", Data: data})
	var refused *ServerError
	if errors.As(err, &refused) && (refused.Code == ValidationError ||
		refused.Code == ExecutionError && s.observeErrors) {
		return sparkd.Observation{Text: refused.forAgent()}, nil
	}
	if err != nil {
		return sparkd.Observation{}, err
	}
	return s.observe(answer)
}

// End ends the session.
func (e *Env) End() error {
	if e.socket != nil {
		e.socket.close()
	}
	return nil
}

// stepData makes the data of a step from the agent's text, or else a complaint for the agent.
func (s *settings) stepData(action string) (data map[string]any, complaint string) {
	data = maps.Clone(s.step)
	if !s.actionJSON {
		data[s.action] = action
		return data, ""
	}
	fields, err := connector.Object([]byte(action))
	if err != nil {
		return nil, "Write the action as one JSON object and nothing else (" + err.Error() + ")."
	}
	maps.Copy(data, fields)
	return data, ""
}

// observe reads the answer to a reset or a step.
func (s *settings) observe(a answer) (sparkd.Observation, error) {
	reward, err := connector.Number(a.Reward)
	if err != nil {
		return sparkd.Observation{}, s.garbage("its reward "+err.Error(), err)
	}
	return s.reading.Observe(a.Observation, reward, a.Done)
}
