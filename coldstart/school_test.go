package coldstart

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sparkd/env/alfworld"
)

// school is a server of OpenAI's chat completions: it plays a teacher who answers well,
// except where answer says otherwise.
type school struct {
	answer answers

	mu       sync.Mutex
	requests []*asked
	open     atomic.Int64
	most     atomic.Int64 // requests at a time
}

// answers handles the n-th request, from 0, and reports whether it has.
type answers func(n int, w http.ResponseWriter, r *http.Request, asked *asked) bool

// asked is a request.
type asked struct {
	Model       string
	Temperature *float64
	MaxTokens   int `json:"max_tokens"`
	Messages    []Message
	key         string
}

// path reads the path out of the messages.
func (a *asked) path() (steps []item) {
	for line := range strings.Lines(a.Messages[1].Content) {
		var s item
		if strings.HasPrefix(line, `{"step":`) && json.Unmarshal([]byte(line), &s) == nil {
			steps = append(steps, item{Reason: "<think>because of " + s.Action + "</think>", Action: s.Action})
		}
	}
	return steps
}

type item struct {
	Reason string `json:"reason"`
	Action string `json:"action"`
}

func list(items []item) string {
	b, err := json.Marshal(items)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// say answers with a text.
func say(w http.ResponseWriter, text, finish string) bool {
	message := map[string]any{"role": "assistant", "content": text}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"object": "chat.completion", "usage": map[string]any{"completion_tokens": 9},
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": message}},
	})
	return true
}

func (s *school) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
	}
	a := &asked{key: r.Header.Get("Authorization")}
	if r.URL.Path != "/v1/chat/completions" || json.NewDecoder(r.Body).Decode(a) != nil {
		http.Error(w, `{"error":{"message":"no such route"}}`, http.StatusNotFound)
		return
	}
	s.mu.Lock()
	n := len(s.requests)
	s.requests = append(s.requests, a)
	s.mu.Unlock()
	if s.answer == nil || !s.answer(n, w, r, a) {
		say(w, list(a.path()), "stop")
	}
}

// RoundTrip implements http.RoundTripper without a network, so that time can be made up.
func (s *school) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(w, r)
	}()
	<-done
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// hang waits until the client has given up.
func hang(_ int, _ http.ResponseWriter, r *http.Request, _ *asked) bool {
	<-r.Context().Done()
	return true
}

func (s *school) teacher(t *testing.T) *Teacher {
	t.Helper()
	teacher, err := NewTeacher(TeacherOptions{URL: "http://school/v1", Model: "t", Key: "k", Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return teacher
}

// golden is a path of the household, replayed.
func golden(t *testing.T, index int) *Trajectory {
	t.Helper()
	o := Options{Env: alfworld.Name, Split: "train", From: index, Count: 1}
	for p, err := range Golden(t.Context(), alfworld.New(), o) {
		if err != nil {
			t.Fatal(err)
		}
		tr, err := p.Replay(t.Context(), alfworld.New(), 30, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	return nil
}

// always makes an answer of every request.
func always(text func([]item) string) answers {
	return func(_ int, w http.ResponseWriter, _ *http.Request, a *asked) bool {
		return say(w, text(a.path()), "stop")
	}
}

// changed alters the third object of an answer.
func changed(f func(*item)) func([]item) string {
	return func(items []item) string { f(&items[2]); return list(items) }
}
