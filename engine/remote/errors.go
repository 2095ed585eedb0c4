package remote

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"sparkd"
	"sparkd/internal/httpclient"
)

// AnotherModel is the failure of a server that answers as another model than the one that it was asked for.
func AnotherModel(server, got, want string) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model",
		Message: fmt.Sprintf("%s answers as %q to a request for %q", server, got, want),
		Remedy:  "check whether the server was given another model, or a proxy stands in front of another server"}
}

// overlong is how servers say that a prompt is too long.
var overlong = regexp.MustCompile(
	`(?i)context length|context size|maximum allowed length|maximum model length|max_model_len`)

// contextFull turns the refusal of an overlong prompt, which every server says in its own way, into context_full.
func contextFull(err error) error {
	var typed *sparkd.Error
	if !errors.As(err, &typed) {
		return err
	}
	s := &httpclient.Status{Message: typed.Message}
	_ = errors.As(err, &s)
	refused := s.Code == http.StatusBadRequest || s.Code == http.StatusRequestEntityTooLarge
	if !refused && typed.Code != sparkd.CodeEngine {
		return err
	}
	if s.Kind == "exceed_context_size_error" || s.Param == "input_tokens" || overlong.MatchString(s.Message) {
		return sparkd.ContextFull("the prefix does not fit into the model's context: "+s.Message, err)
	}
	return err
}
