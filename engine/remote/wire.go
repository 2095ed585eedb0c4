package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"sparkd"
	"sparkd/internal/httpclient"
)

// wire is the HTTPDoer of go-openai's client. It sends what go-openai wrote with the
// fields that go-openai cannot write, and keeps the answer with those that it drops.
type wire struct{ http *httpclient.Client }

// exchange is one request through a wire.
type exchange struct {
	fields map[string]any // put into the request, over what go-openai wrote
	answer []byte         // as it came
}

type exchangeKey struct{}

// in returns a context for the call of go-openai's client that makes this exchange.
func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// failure types an error of go-openai: what came from below has its type, anything else is
// an answer that go-openai cannot read.
func (x *exchange) failure(err error) error {
	var typed *sparkd.Error
	if err == nil || errors.As(err, &typed) {
		return err
	}
	return &sparkd.Error{Code: sparkd.CodeEngine, Err: err,
		Message: "the answer is not the JSON that was expected: " + httpclient.Excerpt(x.answer),
		Remedy:  "check that the address is an inference server's, without a proxy that answers itself"}
}

// Do implements go-openai's HTTPDoer. It returns answers of success only.
func (w wire) Do(r *http.Request) (*http.Response, error) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		return nil, sparkd.Errorf(sparkd.CodeInternal, "a request to %s without its exchange", r.URL)
	}
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if len(x.fields) > 0 {
		var err error
		if body, err = merge(body, x.fields); err != nil {
			return nil, err
		}
	}
	answer, err := w.http.Bytes(r.Context(), r.Method, strings.TrimPrefix(r.URL.String(), w.http.Name()), body)
	if err != nil {
		return nil, err
	}
	x.answer = answer
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

// merge writes fields into the JSON object body.
func merge(body []byte, fields map[string]any) ([]byte, error) {
	object := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		return nil, err
	}
	for name, value := range fields {
		object[name] = value
	}
	return json.Marshal(object)
}
