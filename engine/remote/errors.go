package remote

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"sparkd"
	"sparkd/internal/httpclient"
)

// AnotherModel is the failure of a server that answers as another model than the one that it was asked for.
func AnotherModel(server, got, want string) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model",
		Message: fmt.Sprintf("%s answers as %q to a request for %q", server, got, want),
		Remedy:  "check whether the server was given another model, or a proxy stands in front of another server"}
}

// contextFull turns the refusal of an overlong prompt, which every server says in its own way, into context_full.
func contextFull(err error) error {
	var typed *sparkd.Error
	if !errors.As(err, &typed) {
		return err
	}
	message := typed.Message
	full := false
	var s *httpclient.Status
	if errors.As(err, &s) {
		message = s.Message
		full = s.Kind == "exceed_context_size_error" || s.Param == "input_tokens"
	}
	refused := s != nil && (s.Code == http.StatusBadRequest || s.Code == http.StatusRequestEntityTooLarge)
	if !refused && typed.Code != sparkd.CodeEngine {
		return err
	}
	text := strings.ToLower(message)
	for _, words := range []string{
		"context length", "context size", "maximum allowed length", "maximum model length", "max_model_len",
	} {
		full = full || strings.Contains(text, words)
	}
	if !full {
		return err
	}
	return sparkd.ContextFull("the prefix does not fit into the model's context: "+message, err)
}
