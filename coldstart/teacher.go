package coldstart

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"

	"sparkd"
	"sparkd/internal/httpclient"
)

// TeacherOptions say which model gives the reasons, and within which limits.
type TeacherOptions struct {
	URL       string            // in front of /chat/completions: "http://127.0.0.1:8000/v1"
	Model     string            // as the server names it
	Key       string            // bearer token; "" sends none
	Timeout   time.Duration     // of one request; 0 is 2 minutes
	MaxTokens int               // of one answer; 0 is 4096
	Transport http.RoundTripper // nil opens connections of its own
}

// Teacher gives the reasons for golden paths: any model behind OpenAI's chat completions, at
// temperature 0. It is safe for concurrent use.
type Teacher struct {
	TeacherOptions
	http             *httpclient.Client
	requests, denied atomic.Int64
}

// Bounds of what is asked for one path.
const (
	asks    = 3 // until an answer is accepted
	resends = 4 // of requests that failed in a way that may pass; one that took all its time counts threefold
)

// NewTeacher returns a teacher; it sends nothing yet.
func NewTeacher(o TeacherOptions) (*Teacher, error) {
	if o.Model == "" {
		return nil, sparkd.Invalid("teacher-model", "give the name that the server lists at /v1/models",
			"no model is named")
	}
	if strings.Contains(o.URL, "?") {
		return nil, sparkd.Invalid("teacher", "write it without one; a key goes into a file", "the address has a query")
	}
	o.Timeout, o.MaxTokens = cmp.Or(o.Timeout, 2*time.Minute), cmp.Or(o.MaxTokens, 4096)
	c, err := httpclient.New(httpclient.Options{URL: o.URL, Token: o.Key, Timeout: o.Timeout, MaxBody: 4 << 20,
		Transport: o.Transport})
	if err != nil {
		return nil, teacherFlag(err)
	}
	return &Teacher{TeacherOptions: o, http: c}, nil
}

// Close closes idle connections.
func (t *Teacher) Close() { t.http.Close() }

// Answers returns how many answers came, and how many of them were not accepted.
func (t *Teacher) Answers() (all, denied int) { return int(t.requests.Load()), int(t.denied.Load()) }

// Annotate asks for the reasons of a trajectory's steps and enters them. Its error has the code invalid if no answer
// was acceptable, unauthorized or not_found where no request can ever succeed, and another one if the server failed.
func (t *Teacher) Annotate(ctx context.Context, tr *Trajectory) error {
	failures := 0
	var refusal error
	for range asks {
		answer, err := t.ask(ctx, teacherMessages(tr, refusal), &failures)
		if err != nil {
			return err
		}
		t.requests.Add(1)
		var accepted []string
		if accepted, refusal = reasonsIn(answer, tr.Steps); refusal == nil {
			for i, reason := range accepted {
				tr.Steps[i].Reason = reason
			}
			return nil
		}
		t.denied.Add(1)
	}
	return sparkd.Invalid("teacher-model", "a larger model keeps to the form",
		"%d answers were refused; the last: %v", asks, refusal)
}

// completionRequest is go-openai's with a temperature that may be 0, and with the bound on tokens under the name that
// servers other than OpenAI's know.
type completionRequest struct {
	openai.ChatCompletionRequest
	Temperature float32 `json:"temperature"`
	MaxTokens   int     `json:"max_tokens"`
}

// ask sends one request, again as long as it fails in a way that may pass.
func (t *Teacher) ask(
	ctx context.Context, messages []openai.ChatCompletionMessage, failures *int,
) (*openai.ChatCompletionResponse, error) {
	request := completionRequest{MaxTokens: t.MaxTokens,
		ChatCompletionRequest: openai.ChatCompletionRequest{Model: t.Model, Messages: messages}}
	for {
		began := time.Now()
		var answer openai.ChatCompletionResponse
		err := t.http.JSON(ctx, http.MethodPost, "/chat/completions", request, &answer)
		if err == nil {
			return &answer, nil
		}
		passing, after := passes(err)
		if time.Since(began) >= t.Timeout {
			*failures += 2
		}
		if *failures++; ctx.Err() != nil || !passing || *failures > resends {
			return nil, teacherError(err)
		}
		select {
		case <-time.After(backoff(*failures, after)):
		case <-ctx.Done():
			return nil, sparkd.AsError(ctx.Err())
		}
	}
}

// Bounds of a pause.
const (
	firstPause = time.Second
	longest    = 2 * time.Minute
)

// backoff is how long to wait after the n-th failure: twice as long every time, up to half
// as much again so that many do not come back at once, and as long as the server asks for.
func backoff(n int, asked time.Duration) time.Duration {
	wait := firstPause << (n - 1)
	wait += rand.N(wait/2 + 1)
	return min(max(wait, asked), longest)
}

// maxKey bounds a key, in bytes.
const maxKey = 64 << 10

// readKey returns the key of the teacher's server that a file holds.
func readKey(path string) (string, error) {
	var text []byte
	f, err := os.Open(path)
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(f, maxKey))
		f.Close()
	}
	key := strings.TrimSpace(string(text))
	if err == nil && key == "" {
		err = errors.New(path + " is empty")
	}
	if err != nil {
		e := sparkd.Invalid("teacher-key-file", "put the key into the file, in one line", "no key can be read: %v", err)
		e.Err = err
		return "", e
	}
	return key, nil
}
