package remote

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"sparkd"
	"sparkd/internal/httpclient"
)

// AnotherModel is the failure of a server that answers as another model than the one that it was asked for.
func AnotherModel(server, got, want string) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model",
		Message: fmt.Sprintf("%s answers as %q to a request for %q", server, got, want),
		Remedy:  "check whether the server was given another model, or a proxy stands in front of another server"}
}

// untokenised says of a server without a route for tokens what to do, where that is the error.
func untokenised(err error) error {
	var s *httpclient.Status
	if errors.As(err, &s) && slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusNotImplemented}, s.Code) {
		return sparkd.NewError(sparkd.CodeEngine, "engine.dialect", "switch its routes for tokens on, take a version "+
			`that has them, or set engine.dialect = "generic", which does without ids`,
			"the server does not tokenise: %s", sparkd.AsError(err).Message).Because(err)
	}
	return err
}

// refused reports whether the server answered, and not with what it was asked for.
func refused(err error) bool {
	var s *httpclient.Status
	return errors.As(err, &s) && !httpclient.IsPassing(err) || sparkd.CodeOf(err) == sparkd.CodeInvalid
}

// overlong is how servers say that a prompt is too long.
var overlong = regexp.MustCompile(`(?i)context.?length|context.?size|context.?window|maximum allowed length|` +
	`maximum model length|max_model_len|max_(seq|input|total)_\w*len|(prompt|input|sequence)s?\b.{0,40} too long|` +
	`exceeds? the (context|maximum (number of )?(input )?tokens)|maximum (input|sequence) length`)

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
	if s.Kind == "exceed_context_size_error" || s.Kind == "context_length_exceeded" || s.Param == "input_tokens" ||
		overlong.MatchString(s.Message) {
		return sparkd.ContextFull("the prefix does not fit into the model's context: "+s.Message, err)
	}
	return err
}
