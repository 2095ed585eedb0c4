package agentgym

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"sparkd"
	"sparkd/env/connector"
	"sparkd/internal/httpclient"
)

// ServerError is a refusal of the server. It is the cause of a sparkd.Error.
type ServerError struct {
	Status  int    // of HTTP: 200 for most errors of the environment
	Message string // the field error, or else the body
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
	var plain string
	if json.Unmarshal(id, &plain) != nil {
		plain = string(id) // a number
	}
	return s.ask(ctx, http.MethodGet, route, url.Values{s.settings.id: {plain}}, nil)
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
	if refused := refusal(answer.StatusCode, data); refused != nil {
		return nil, sparkd.NewError(sparkd.CodeEnv, "", "look at the server's log",
			"the AgentGym server refuses %s: %v", route, refused).Because(refused)
	}
	return data, nil
}

// refusal returns the error that an answer is, or nil.
func refusal(status int, data []byte) *ServerError {
	if status != http.StatusOK {
		return &ServerError{status, string(data)}
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(data, &body) != nil || body.Error == "" {
		return nil // a body without one, or no object at all
	}
	return &ServerError{status, body.Error}
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
	switch v.(type) {
	case json.Number, string:
		return bytes.Clone(id), nil
	}
	return nil, s.garbage(fmt.Sprintf("a create without %s: %s", s.id, connector.Excerpt(string(data))), err)
}

// fields reads an answer: an object, a text, or a list whose first item is one of these
// (WebShop). A text is the field observation.
func (s *settings) fields(data []byte) (map[string]any, error) {
	v, err := connector.Value(data)
	if err != nil {
		return nil, s.garbage("it is not JSON: "+connector.Excerpt(string(data)), err)
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case string:
		return map[string]any{"observation": v}, nil
	case nil:
		return map[string]any{}, nil
	}
	return nil, s.garbage("neither an object nor a text: "+connector.Excerpt(string(data)), nil)
}

// garbage is the error of an answer that cannot be used.
func (s *settings) garbage(what string, err error) error {
	return sparkd.NewError(sparkd.CodeEnv, "", "check "+s.read.Section("url")+" and "+s.read.Section("options"),
		"cannot use the AgentGym server's answer: %s", what).Because(err)
}
