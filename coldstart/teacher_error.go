package coldstart

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"sparkd"
	"sparkd/internal/httpclient"
)

// passes reports whether a request may be sent again, and how long the server asked to be left alone. Hosted
// models answer now and then with a 500 that the next request does not get.
func passes(err error) (bool, time.Duration) {
	var r *httpclient.Retry
	if errors.As(err, &r) {
		return true, r.After
	}
	var s *httpclient.Status
	return errors.As(err, &s) && s.Code >= http.StatusInternalServerError, 0
}

// teacherError puts an error of a request in the words of the command line.
func teacherError(err error) error {
	e := sparkd.AsError(err)
	if e.Code == sparkd.CodeCanceled || e.Code == sparkd.CodeDeadline {
		return e
	}
	out, said := *e, &httpclient.Status{}
	out.Field, out.Remedy = "teacher", "check that the server runs, and its load"
	errors.As(err, &said)
	switch said.Code {
	case 0: // what came, if anything, is no answer of an inference server
		if e.Code == sparkd.CodeEngine {
			out.Remedy = cmp.Or(e.Remedy, out.Remedy)
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		out.Code, out.Field = sparkd.CodeUnauthorized, "teacher-key-file"
		out.Remedy = "give the key that the server wants, in a file"
	case http.StatusNotFound:
		out.Code, out.Field = sparkd.CodeNotFound, "teacher-model"
		out.Remedy = "check the address, which mostly ends in /v1, and the name of the model"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		out.Code = sparkd.CodeEngine
		out.Remedy = "the server refuses the request as it is: a path that is too long for the model's context, " +
			"or another model"
	}
	return &out
}

// teacherFlag names the flag that an error of the options is about.
func teacherFlag(err error) error {
	e := *sparkd.AsError(err)
	if e.Field == "engine.api_key_file" {
		e.Field = "teacher-key-file"
	} else {
		e.Field = "teacher"
		e.Remedy = `write the address in front of /chat/completions, such as "http://127.0.0.1:8000/v1"`
	}
	return &e
}
