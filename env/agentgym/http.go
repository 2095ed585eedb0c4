package agentgym

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sparkd"
	"sparkd/env/connector"
	"sparkd/internal/httpclient"
)

// ServerError is a refusal of the server. It is the cause of a sparkd.Error.
type ServerError struct {
	Status  int    // of HTTP: 200 for most errors of the environment
	Message string // what the body says
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("%s (status %d)", connector.Excerpt(e.Message), e.Status)
}

// noRoute says whether the server lacks what was asked for.
func noRoute(err error) bool {
	var e *ServerError
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed)
}

// post sends a request to a route; the answer is JSON.
func (s *Source) post(ctx context.Context, route string, body map[string]any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, s.settings.garbage("cannot write the request", err)
	}
	return s.ask(ctx, http.MethodPost, route, nil, text)
}

// get asks a route about an environment.
func (s *Source) get(ctx context.Context, route string, id json.RawMessage) ([]byte, error) {
	return s.ask(ctx, http.MethodGet, route, url.Values{s.settings.id: {plain(id)}}, nil)
}

// plain writes an id without the quotes of JSON.
func plain(id json.RawMessage) string {
	var text string
	if json.Unmarshal(id, &text) != nil {
		return string(id) // a number
	}
	return text
}

// ask sends a request once; a step that arrives twice is taken twice.
func (s *Source) ask(ctx context.Context, method, route string, query url.Values, body []byte) ([]byte, error) {
	limit, cancel := context.WithTimeout(ctx, s.settings.timeout)
	defer cancel()
	address := s.settings.url.JoinPath(route)
	address.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(limit, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, s.settings.garbage("cannot write the request", err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.HTTP.Do(r)
	if err != nil {
		return nil, s.lost(ctx, limit, route, err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, s.lost(ctx, limit, route, err)
	}
	if refused := s.settings.refusal(answer.StatusCode, data); refused != nil {
		return nil, refused.typed(route)
	}
	return data, nil
}

// typed gives a refusal the code and the remedy that a user needs.
func (e *ServerError) typed(route string) error {
	return sparkd.NewError(sparkd.CodeEnv, "", "look at the server's log",
		"the AgentGym server refuses %s: %v", route, e).Because(e)
}

// refusal returns the error that an answer is whatever else it holds, or nil. An answer to a reset or a step without a
// text is one too, see answered.
func (s *settings) refusal(status int, data []byte) *ServerError {
	if status != http.StatusOK {
		return &ServerError{status, connector.Words(data)}
	}
	v, err := connector.Value(data)
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	if fields, ok := v.(map[string]any); err == nil && ok && !s.reading.Reads("error") && says(fields["error"]) {
		return &ServerError{status, connector.Words(data)}
	}
	return nil
}

// says reports whether the field error holds one: servers that always send the field leave it empty else.
func says(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case json.Number: // a code
		code, err := v.Float64()
		return err != nil || code != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// lost words a request that got no whole answer.
func (s *Source) lost(ctx, limit context.Context, route string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limit.Err() != nil:
		return s.settings.read.Late("AgentGym server", route, s.settings.timeout, err)
	case errors.Is(err, httpclient.ErrTooLarge):
		return sparkd.NewError(sparkd.CodeEnv, s.settings.read.Field("max_message"), "raise it",
			"the AgentGym server's answer to %s is too large", route).Because(err)
	}
	why := connector.Excerpt(fmt.Sprintf("no AgentGym server at %s: %v", s.settings.url.Redacted(), errors.Unwrap(err)))
	const remedy = "start it, or correct the address"
	return sparkd.NewError(sparkd.CodeEnv, s.settings.read.Section("url"), remedy, "%s", why).Because(err)
}

// created reads the answer to a create: an id, or an object that holds one.
func (s *settings) created(data []byte) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	id := json.RawMessage(bytes.TrimSpace(data))
	if json.Unmarshal(data, &fields) == nil && fields != nil {
		id = fields[s.id]
	}
	v, err := connector.Value(id)
	switch v := v.(type) {
	case json.Number:
		return bytes.Clone(id), nil
	case string:
		if v != "" {
			return bytes.Clone(id), nil
		}
	}
	return nil, s.garbage(fmt.Sprintf("a create without %s: %s", s.id, connector.Excerpt(string(data))), err)
}

// answered reads the answer to a route: an object with a text, a text, which is the field observation, or a list
// whose first item is one of these (WebShop). It is nil where nothing is told. An object without a text is no
// observation but what went wrong: servers answer {"error": ""}, {"detail": …} and worse with status 200.
func (s *settings) answered(route string, data []byte) (map[string]any, error) {
	v, err := connector.Value(data)
	if err != nil {
		return nil, s.garbage("it is not JSON: "+connector.Excerpt(string(data)), err)
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	switch v := v.(type) {
	case map[string]any:
		switch {
		case s.reading.Tells(v):
			return v, nil
		case len(v) > 0:
			return nil, s.untold(route, v, data)
		}
		return nil, nil
	case string:
		return map[string]any{"observation": v}, nil
	case nil:
		return nil, nil
	}
	return nil, s.garbage("neither an object nor a text: "+connector.Excerpt(string(data)), nil)
}

// untold is the error of an object without a text.
func (s *settings) untold(route string, fields map[string]any, data []byte) error {
	e := &ServerError{http.StatusOK, connector.Words(data)}
	remedy := "look at the server's log; where this is the observation, name its fields: " +
		strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	return sparkd.NewError(sparkd.CodeEnv, s.read.Field("text"), connector.Excerpt(remedy),
		"the AgentGym server's answer to %s holds no observation: %v", route, e).Because(e)
}

// garbage is the error of an answer that cannot be used.
func (s *settings) garbage(what string, err error) error {
	return sparkd.NewError(sparkd.CodeEnv, "", "check "+s.read.Section("url")+" and "+s.read.Section("options"),
		"cannot use the AgentGym server's answer: %s", what).Because(err)
}
