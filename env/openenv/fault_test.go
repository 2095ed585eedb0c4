package openenv

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"sparkd"
)

// first answers the reset with each text in turn and then hears on.
func first(answers ...string) func(*session) {
	return func(s *session) {
		if _, ok := s.hear(); !ok {
			return
		}
		for _, a := range answers {
			s.say(a)
		}
		for {
			if _, ok := s.hear(); !ok {
				return
			}
		}
	}
}

// What a server can do wrong at a reset, and what comes of it.
func TestFaults(t *testing.T) {
	const fine = `{"type":"observation","data":{"observation":{"text":"a"},"reward":0,"done":false}}`
	for _, tt := range []struct {
		name        string
		talk        func(*session)
		options     map[string]string
		code        sparkd.Code
		field, word string
	}{
		{name: "capacity, unasked", talk: func(s *session) {
			s.say(`{"type":"error","data":{"message":"Server at capacity: 1/1","code":"CAPACITY_REACHED",` +
				`"active_sessions":1,"max_sessions":1}}`)
			_ = s.Conn.Close(websocket.StatusNormalClosure, "")
		}, code: sparkd.CodeUnavailable, field: "env.count.workers", word: "max_concurrent_envs"},
		{name: "factory", talk: first(`{"type":"error","data":{"message":"no such map","code":"FACTORY_ERROR"}}`),
			code: sparkd.CodeEnv, word: "no such map"},
		{name: "session", talk: first(`{"type":"error","data":{"message":"lost","code":"SESSION_ERROR"}}`),
			code: sparkd.CodeEnv, word: "SESSION_ERROR"},
		{name: "execution", talk: first(`{"type":"error","data":{"message":"boom","code":"EXECUTION_ERROR"}}`),
			code: sparkd.CodeEnv, word: "boom"},
		{name: "validation", talk: first(`{"type":"error","data":{"message":"bad seed","code":"VALIDATION_ERROR"}}`),
			code: sparkd.CodeEnv, field: "env.count.options.reset", word: "bad seed"},
		{name: "invalid json", talk: first(`{"type":"error","data":{"message":"?","code":"INVALID_JSON"}}`),
			code: sparkd.CodeEnv, word: "openenv 0.10"},
		{name: "unknown type", talk: first(`{"type":"error","data":{"message":"?","code":"UNKNOWN_TYPE"}}`),
			code: sparkd.CodeEnv, word: "openenv 0.10"},
		{name: "a code of tomorrow", talk: first(`{"type":"error","data":{"message":"?","code":"QUOTA"}}`),
			code: sparkd.CodeEnv, word: "QUOTA"},
		{name: "an error without words", talk: first(`{"type":"error","data":7}`), code: sparkd.CodeEnv,
			word: "cannot be read"},
		{name: "an error as a text", talk: first(`{"type":"error","data":"no map"}`), code: sparkd.CodeEnv,
			word: "no map"},
		{name: "an error as a list", talk: first(`{"type":"error","data":[{"msg":"no map"}]}`), code: sparkd.CodeEnv,
			word: "no map"},
		{name: "an error elsewhere", talk: first(`{"type":"error","data":{"error":{"detail":"no map"}}}`),
			code: sparkd.CodeEnv, word: "no map"},
		{name: "an error of no type", talk: first(`{"detail":"no map"}`), code: sparkd.CodeEnv, word: "no map"},
		{name: "an error in capitals", talk: first(`{"type":"ERROR","data":{"message":"no map"}}`),
			code: sparkd.CodeEnv, word: "no map"},
		{name: "an error in an observation", talk: first(`{"type":"observation","data":{"error":"no map"}}`),
			code: sparkd.CodeEnv, word: "no map"},
		{name: "keys in capitals", talk: first(strings.Replace(fine, `"type"`, `"Type"`, 1)), code: sparkd.CodeEnv,
			word: `its type is ""`},
		{name: "no JSON", talk: first(`<html>`), code: sparkd.CodeEnv, word: "<html>"},
		{name: "NaN", talk: first(strings.Replace(fine, `"reward":0`, `"reward":NaN`, 1)),
			code: sparkd.CodeEnv, word: "not JSON"},
		{name: "an infinite reward", talk: first(strings.Replace(fine, `"reward":0`, `"reward":1e999`, 1)),
			code: sparkd.CodeEnv, word: "reward"},
		{name: "a reward in words", talk: first(strings.Replace(fine, `"reward":0`, `"reward":"high"`, 1)),
			code: sparkd.CodeEnv, word: "reward"},
		{name: "done in words", talk: first(strings.Replace(fine, `"done":false`, `"done":"no"`, 1)),
			code: sparkd.CodeEnv, word: "done"},
		{name: "no observation", talk: first(`{"type":"observation","data":{"reward":0,"done":false}}`),
			code: sparkd.CodeEnv, word: "no observation"},
		{name: "another type", talk: first(`{"type":"state","data":{}}`), code: sparkd.CodeEnv, word: `"state"`},
		{name: "no field", talk: first(fine), options: map[string]string{"text": "page"}, code: sparkd.CodeEnv,
			field: "env.count.options.text", word: "page"},
		{name: "closes", talk: func(s *session) {
			s.hear()
			_ = s.Conn.Close(websocket.StatusInternalError, "keepalive ping timeout")
		}, code: sparkd.CodeEnv, word: "keepalive ping timeout"},
		{name: "breaks", talk: func(s *session) { s.hear() }, code: sparkd.CodeEnv, word: "broke"},
		{name: "oversized", talk: first(`{"type":"` + strings.Repeat("x", 1<<20) + `"}`),
			options: map[string]string{"max_message": "1"}, code: sparkd.CodeEnv,
			field: "env.count.options.max_message", word: "1 MiB"},
		{name: "silent", talk: first(), options: map[string]string{"timeout": "30ms"}, code: sparkd.CodeDeadline,
			field: "env.count.options.timeout", word: "30ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.talk)
			source := open(t, s.URL, 1, tt.options)
			e, err := begin(t, source)
			wantError(t, err, tt.code, tt.field, tt.word)
			_, err = e.Step(t.Context(), "look")
			wantError(t, err, sparkd.CodeEnv, "", "cut")
			if err := e.Close(); err != nil || source.Places.Held() != 0 {
				t.Errorf("close: %v, %d places held", err, source.Places.Held())
			}
		})
	}
}

// Each code of the server can be told from the error.
func TestServerErrorIsTheCause(t *testing.T) {
	s := serve(t, first(`{"type":"error","data":{"message":"lost","code":"SESSION_ERROR"}}`))
	_, err := begin(t, open(t, s.URL, 1, nil))
	var cause *ServerError
	if !errors.As(err, &cause) || cause.Code != SessionError || cause.Message != "lost" {
		t.Errorf("the cause of %v is %+v", err, cause)
	}
}

func TestNoServer(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	_, err := begin(t, open(t, gone.URL, 1, nil))
	wantError(t, err, sparkd.CodeEnv, "env.count.url", "no OpenEnv server")
	web := httptest.NewServer(nil)
	defer web.Close()
	_, err = begin(t, open(t, web.URL, 1, nil))
	wantError(t, err, sparkd.CodeEnv, "env.count.url", "404")
}

// Two answers to one message are noticed at the next one.
func TestAnswersTwice(t *testing.T) {
	const fine = `{"type":"observation","data":{"observation":{"text":"a"},"reward":0,"done":false}}`
	s := serve(t, first(fine, fine, fine))
	e, err := begin(t, open(t, s.URL, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	<-e.(*Env).socket.done // the third finds the second still there
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", `cannot use the OpenEnv server`)
}

// A step that is canceled in the middle costs the session, and a reset opens another.
func TestCanceledStep(t *testing.T) {
	asked := make(chan struct{}, 1)
	s := serve(t, func(s *session) {
		for {
			m, ok := s.hear()
			if !ok {
				return
			}
			if m.Type == "step" {
				asked <- struct{}{}
				continue
			}
			s.say(`{"type":"observation","data":{"observation":{"text":"a"},"reward":0,"done":false}}`)
		}
	})
	e, err := begin(t, open(t, s.URL, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := e.Step(ctx, "look"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled in the middle: %v", err)
	}
	if _, err := e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train"}); err != nil || s.opened.Load() != 2 {
		t.Errorf("a reset after it: %v, %d sessions", err, s.opened.Load())
	}
}

// The server's pings are answered while the agent thinks: uvicorn gives up a client that
// is silent for 20 seconds.
func TestPings(t *testing.T) {
	answered := make(chan error, 1)
	s := serve(t, func(s *session) {
		if _, ok := s.hear(); !ok {
			return
		}
		s.say(`{"type":"observation","data":{"observation":{"text":"a"},"reward":0,"done":false}}`)
		ctx := s.CloseRead(s.ctx)
		answered <- s.Ping(ctx)
	})
	if _, err := begin(t, open(t, s.URL, 1, nil)); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Errorf("ping: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"observation","data":{"observation":{"text":"a"},"reward":0.5,"done":false}}`))
	f.Add([]byte(`{"type":"error","data":{"message":"m","code":"VALIDATION_ERROR","errors":[{"loc":["a",1],` +
		`"msg":"b"}]}}`))
	f.Add([]byte(`{"type":"state","data":{}}`))
	f.Add([]byte(`{"type":"observation","data":null}`))
	source, err := Open(context.Background(), "x", Options{URL: "http://localhost"})
	if err != nil {
		f.Fatal(err)
	}
	s := &source.settings
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, want := range []string{"observation", "state", "error"} {
			a, err := s.parse(data, want)
			var typed *sparkd.Error
			if err != nil && (!errors.As(err, &typed) || typed.Code == "" || typed.Remedy == "") {
				t.Fatalf("%q: an error without code or remedy: %v", data, err)
			}
			if err == nil && want == "observation" {
				o, err := s.observe(a)
				if err == nil && o.Reward-o.Reward != 0 {
					t.Fatalf("%q: a reward of %v", data, o.Reward)
				}
			}
		}
	})
}
