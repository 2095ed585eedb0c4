package openenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"sparkd"
)

// server speaks the server's side of the protocol: each session runs talk.
type server struct {
	*httptest.Server
	sessions atomic.Int32 // open now
	opened   atomic.Int32 // ever
}

// session is the server's end of a connection.
type session struct {
	*websocket.Conn
	ctx context.Context
}

// serve starts a server that ends with the test.
func serve(t *testing.T, talk func(*session)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			http.NotFound(w, r)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		s.opened.Add(1)
		s.sessions.Add(1)
		defer s.sessions.Add(-1)
		defer func() { _ = c.CloseNow() }()
		talk(&session{c, r.Context()})
	}))
	t.Cleanup(s.Close)
	return s
}

// hear returns the next message, or false once the client is gone or says close.
func (s *session) hear() (message, bool) {
	_, data, err := s.Read(s.ctx)
	if err != nil {
		return message{}, false
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		panic(err)
	}
	if m.Type == "close" {
		_ = s.Conn.Close(websocket.StatusNormalClosure, "")
		return m, false
	}
	return m, true
}

func (s *session) say(text string) { _ = s.Write(s.ctx, websocket.MessageText, []byte(text)) }

// count plays a game with the schema of a real server: say the number that follows.
func count(s *session) {
	var at, steps int
	for {
		m, ok := s.hear()
		if !ok {
			return
		}
		switch m.Type {
		case "reset":
			at, steps = int(m.Data["seed"].(float64)), 0
			s.say(fmt.Sprintf(`{"type":"observation","data":{"observation":{"text":"At %d.","goal":"Count.",`+
				`"moves":["%d","look","quit"],"metadata":{}},"reward":null,"done":false}}`, at, at+1))
		case "state":
			s.say(fmt.Sprintf(`{"type":"state","data":{"step_count":%d}}`, steps))
		case "step":
			text, ok := m.Data["message"].(string)
			if !ok {
				s.say(`{"type":"error","data":{"message":"Invalid message","code":"VALIDATION_ERROR",` +
					`"errors":[{"loc":["message"],"msg":"Field required"}]}}`)
				continue
			}
			if text == "raise" {
				s.say(`{"type":"error","data":{"message":"division by zero","code":"EXECUTION_ERROR"}}`)
				continue
			}
			steps++
			reward := 0.0
			if text == fmt.Sprint(at+1) {
				at, reward = at+1, 0.5
			}
			s.say(fmt.Sprintf(`{"type":"observation","data":{"observation":{"text":"At %d.","moves":["%d","look",`+
				`"quit"]},"reward":%v,"done":%v}}`, at, at+1, reward, text == "quit"))
		}
	}
}

// open opens the source of a server.
func open(t *testing.T, url string, workers int, options map[string]string) *Source {
	t.Helper()
	s, err := Open(t.Context(), "count", Options{URL: url, Workers: workers, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// begin opens a copy and resets it.
func begin(t *testing.T, s *Source) (sparkd.Env, error) {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	_, err = e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train", Index: 3})
	return e, err
}

// wantError checks code, field and a word of the message or remedy.
func wantError(t *testing.T, err error, code sparkd.Code, field, word string) {
	t.Helper()
	var e *sparkd.Error
	if !errors.As(err, &e) || e.Code != code || e.Field != field || e.Remedy == "" ||
		!strings.Contains(e.Error(), word) {
		t.Errorf("%v (code %q), want code %q of field %q with a remedy and %q", err,
			sparkd.CodeOf(err), code, field, word)
	}
}
