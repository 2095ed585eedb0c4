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

// wire is the HTTPDoer of go-openai's client. It sends fields in the place of what go-openai wrote, which leaves some
// out, and keeps the answer with those that it drops.
type wire struct{ http *httpclient.Client }

// exchange is one request through a wire.
type exchange struct {
	fields map[string]any // the whole request; nil has no body
	answer []byte         // as it came
	failed func(cause error) error
}

type exchangeKey struct{}

// in returns a context for the call of go-openai's client that makes this exchange.
func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

// failure types an error of go-openai: what came from below has its type, anything else is an answer that go-openai
// cannot read.
func (x *exchange) failure(err error) error {
	var typed *sparkd.Error
	if err == nil || errors.As(err, &typed) {
		return err
	}
	return x.failed(err)
}

// Do implements go-openai's HTTPDoer. It returns answers of success only.
func (w wire) Do(r *http.Request) (*http.Response, error) {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	if x == nil {
		return nil, sparkd.Errorf(sparkd.CodeInternal, "a request to %s without its exchange", r.URL)
	}
	var body []byte
	var err error
	if x.fields != nil {
		if body, err = json.Marshal(x.fields); err != nil {
			return nil, err
		}
	}
	path := strings.TrimPrefix(r.URL.String(), w.http.Name())
	x.failed = func(cause error) error { return w.http.NotExpected(path, x.answer, cause) }
	if x.answer, err = w.http.Bytes(r.Context(), r.Method, path, body); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(x.answer)), Request: r}, nil
}
