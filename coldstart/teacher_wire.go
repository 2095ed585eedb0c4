package coldstart

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/httpclient"
)

// wire is the HTTPDoer of go-openai's client. It sends what go-openai wrote with fields
// that go-openai leaves out, a temperature of 0 above all, and returns successes only.
type wire struct {
	http   *httpclient.Client
	fields map[string]any
}

// Do implements go-openai's HTTPDoer.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	for name, value := range w.fields {
		body[name] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	answer, err := w.http.Bytes(r.Context(), r.Method, strings.TrimPrefix(r.URL.String(), w.http.Name()), text)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

// passes reports whether a request may be sent again, and how long the server asked to be left alone. Hosted
// models answer now and then with a 500 that the next request does not get.
func passes(err error) (bool, time.Duration) {
	if r := (*httpclient.Retry)(nil); errors.As(err, &r) {
		return true, r.After
	}
	s := (*httpclient.Status)(nil)
	return errors.As(err, &s) && s.Code >= http.StatusInternalServerError, 0
}

// teacherError puts an error of a request in the words of the command line.
func teacherError(err error) error {
	var e *sparkd.Error
	if !errors.As(err, &e) {
		return &sparkd.Error{Code: sparkd.CodeEngine, Err: err, Field: "teacher",
			Message: "the answer is not one of OpenAI's chat completions: " + httpclient.Excerpt([]byte(err.Error())),
			Remedy:  "check that the address is an inference server's, without a proxy that answers itself"}
	}
	if e.Code == sparkd.CodeCanceled || e.Code == sparkd.CodeDeadline {
		return e
	}
	out := *e
	out.Field, out.Remedy = "teacher", "check that the server runs, and its load"
	status := 0
	if s := (*httpclient.Status)(nil); errors.As(err, &s) {
		status = s.Code
	}
	switch status {
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
