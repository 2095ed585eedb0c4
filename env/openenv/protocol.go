package openenv

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"sparkd"
	"sparkd/env/connector"
)

// message is what a client sends. The server refuses other keys, so there are no request ids.
type message struct {
	Type string         `json:"type"` // reset, step, state or close
	Data map[string]any `json:"data,omitempty"`
}

// answer names the type of the answer.
func (m message) answer() string {
	if m.Type == "state" {
		return "state"
	}
	return "observation"
}

// answer is what the server says to a reset, a step or a state.
type answer struct {
	Observation map[string]any
	Reward      any // number, boolean or null
	Done        bool
	state       map[string]any // of a state alone
}

// Codes of errors that a server sends (WSErrorCode).
const (
	InvalidJSON     = "INVALID_JSON"
	UnknownType     = "UNKNOWN_TYPE"
	ValidationError = "VALIDATION_ERROR" // of the data of a message
	ExecutionError  = "EXECUTION_ERROR"  // the environment raised an exception
	CapacityReached = "CAPACITY_REACHED" // no session is free
	FactoryError    = "FACTORY_ERROR"    // the environment could not be made
	SessionError    = "SESSION_ERROR"
)

// ServerError is an error message of the server. It is the cause of a sparkd.Error.
type ServerError struct {
	Code        string    `json:"code"`
	Message     string    `json:"message"`
	Errors      []problem `json:"errors"`       // of a VALIDATION_ERROR
	MaxSessions int       `json:"max_sessions"` // of a CAPACITY_REACHED
}

// problem is one finding of the server's validation.
type problem struct {
	Path    []any  `json:"loc"` // names and indices
	Message string `json:"msg"`
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("%s: %s", cmp.Or(e.Code, "an error that cannot be read"), connector.Excerpt(e.Message))
}

// forAgent words a refused action.
func (e *ServerError) forAgent() string {
	var parts []string
	for _, p := range e.Errors {
		var path []string
		for _, step := range p.Path {
			path = append(path, fmt.Sprint(step))
		}
		parts = append(parts, strings.TrimPrefix(strings.Join(path, ".")+": "+p.Message, ": "))
	}
	if len(parts) == 0 {
		parts = []string{e.Message}
	}
	return "That action was refused: " + connector.Excerpt(strings.Join(parts, "; "))
}

// typed gives a server's error the code, the field and the remedy that a user needs.
func (s *settings) typed(e *ServerError) error {
	out := &sparkd.Error{Code: sparkd.CodeEnv, Err: e, Message: "the OpenEnv server answers " + e.Error()}
	switch e.Code {
	case CapacityReached:
		out.Code, out.Field = sparkd.CodeUnavailable, s.read.Section("workers")
		out.Remedy = fmt.Sprintf("raise max_concurrent_envs of the server to %s, or lower %[1]s to what the "+
			"server holds (%d)", out.Field, e.MaxSessions)
	case ValidationError:
		out.Field, out.Remedy = s.read.Field("reset"), "send what the environment's reset takes"
	case ExecutionError:
		out.Remedy = "look at the server's log; where the environment raises on a wrong move, set " +
			s.read.Field("execution_error") + ` to "observe"`
	case FactoryError, SessionError:
		out.Remedy = "look at the server's log"
	default:
		out.Remedy = "check that the server speaks the protocol of openenv 0.10"
	}
	return out
}

// garbage is the error of an answer that the protocol does not allow.
func (s *settings) garbage(what string, err error) error {
	return sparkd.NewError(sparkd.CodeEnv, "", "check that "+s.read.Section("url")+" is an OpenEnv server",
		"cannot use the OpenEnv server's answer: %s", what).Because(err)
}

// refusal reads the data of an error message. What is none of the protocol's keeps the server's words.
func refusal(data []byte) *ServerError {
	e := &ServerError{}
	if json.Unmarshal(data, e) != nil || e.Message == "" {
		e = &ServerError{Code: e.Code, Message: connector.Words(data)}
	}
	return e
}

// parse reads a message of type want; an error message of the server is a ServerError inside a sparkd.Error.
func (s *settings) parse(data []byte, want string) (answer, error) {
	var frame map[string]json.RawMessage // by name as it is written
	var kind string
	err := json.Unmarshal(data, &frame)
	if err == nil && frame["type"] != nil {
		err = json.Unmarshal(frame["type"], &kind)
	}
	switch {
	case err != nil:
		return answer{}, s.garbage("it is not JSON, or no object with a type: "+connector.Words(data), err)
	case kind == "error":
		return answer{}, s.typed(refusal(frame["data"]))
	case kind != want:
		return answer{}, s.garbage(fmt.Sprintf("its type is %q, not %q: %s", connector.Excerpt(kind), want,
			connector.Words(data)), nil)
	}
	fields, err := connector.Object(frame["data"])
	if err != nil {
		return answer{}, s.garbage("its data are no JSON object", err)
	}
	if want == "state" {
		return answer{state: fields}, nil
	}
	a := answer{Reward: fields["reward"]}
	var ok bool
	if a.Observation, ok = fields["observation"].(map[string]any); !ok {
		return answer{}, s.garbage("it holds no observation: "+connector.Words(frame["data"]), nil)
	}
	if a.Done, ok = fields["done"].(bool); !ok {
		return answer{}, s.garbage("it does not say whether the episode is done", nil)
	}
	return a, nil
}
