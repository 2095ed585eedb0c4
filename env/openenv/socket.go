package openenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"sparkd"
	"sparkd/env/connector"
)

// closeTimeout bounds how long the end of a session is waited for.
const closeTimeout = 5 * time.Second

// socket is one session on one connection. It reads at all times: the server's pings must
// be answered while the agent thinks, and some errors come unasked.
type socket struct {
	settings *settings
	conn     *websocket.Conn
	answers  chan []byte   // at most one: a request is answered before the next is sent
	done     chan struct{} // closed when nothing more is read
	err      error         // why; guarded by done
}

// dial opens a session.
func (s *Source) dial(ctx context.Context) (*socket, error) {
	limit, cancel := context.WithTimeout(ctx, s.settings.connectTimeout)
	defer cancel()
	conn, answer, err := websocket.Dial(limit, s.settings.url.String(), &websocket.DialOptions{HTTPClient: s.HTTP})
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case limit.Err() != nil:
			return nil, sparkd.NewError(sparkd.CodeDeadline, s.settings.read.Field("connect_timeout"),
				"raise it, or look at the server", "no OpenEnv server answered at %s within %v",
				s.settings.url.Redacted(), s.settings.connectTimeout).Because(err)
		}
		what := err.Error()
		if answer != nil {
			what = "its answer is " + answer.Status
		}
		return nil, sparkd.NewError(sparkd.CodeEnv, s.settings.read.Section("url"), "start it, or correct the address",
			"no OpenEnv server at %s: %s", s.settings.url.Redacted(), connector.Excerpt(what)).Because(err)
	}
	conn.SetReadLimit(s.settings.maxMessage)
	k := &socket{settings: &s.settings, conn: conn, answers: make(chan []byte, 1), done: make(chan struct{})}
	go k.read()
	return k, nil
}

// read hands messages to ask until the connection ends.
func (k *socket) read() {
	defer close(k.done)
	defer func() { _ = k.conn.CloseNow() }()
	for {
		_, data, err := k.conn.Read(context.Background())
		if err != nil {
			k.err = k.lost(err)
			return
		}
		select {
		case k.answers <- data:
		default:
			k.err = k.settings.garbage("it speaks without being asked", nil)
			return
		}
	}
}

// ended says whether the connection is gone.
func (k *socket) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// ask sends a message and returns the answer. When no answer comes in time the connection
// is given up: a late answer could be taken for that of the next message.
func (k *socket) ask(ctx context.Context, m message) (answer, error) {
	select {
	case data := <-k.answers: // an error that came unasked, such as CAPACITY_REACHED
		return k.unasked(data)
	default:
	}
	text, err := json.Marshal(m)
	if err != nil {
		return answer{}, k.settings.garbage("cannot write the request", err)
	}
	limit, cancel := context.WithTimeout(ctx, k.settings.timeout)
	defer cancel()
	// A failed write ends the connection, and reading tells why: the server may have said it.
	_ = k.conn.Write(limit, websocket.MessageText, text)
	select {
	case data := <-k.answers:
		return k.settings.parse(data, m.answer())
	case <-k.done:
	case <-limit.Done():
		_ = k.conn.CloseNow()
		<-k.done
	}
	select {
	case data := <-k.answers: // its last words
		return k.settings.parse(data, m.answer())
	default:
	}
	switch {
	case ctx.Err() != nil:
		return answer{}, ctx.Err()
	case limit.Err() != nil:
		return answer{}, k.settings.read.Late("OpenEnv server", m.Type, k.settings.timeout, limit.Err())
	}
	return answer{}, k.err
}

// unasked reads a message that came before its question: only an error may.
func (k *socket) unasked(data []byte) (answer, error) {
	_, err := k.settings.parse(data, "error")
	_ = k.conn.CloseNow()
	return answer{}, err
}

// close ends the session. It waits for the server to end the connection, which it does
// once the environment is closed and its place is free for another session.
func (k *socket) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if k.conn.Write(ctx, websocket.MessageText, []byte(`{"type":"close"}`)) == nil {
		select {
		case <-k.done:
		case <-ctx.Done():
		}
	}
	_ = k.conn.CloseNow()
	<-k.done
}

// lost words the end of a connection.
func (k *socket) lost(err error) error {
	var closed websocket.CloseError
	e := &sparkd.Error{Code: sparkd.CodeEnv, Err: err, Remedy: "look at the server's log"}
	switch {
	case errors.Is(err, websocket.ErrMessageTooBig):
		e.Field, e.Remedy = k.settings.read.Field("max_message"), "raise it"
		e.Message = fmt.Sprintf("a message of the OpenEnv server is larger than %d MiB", k.settings.maxMessage>>20)
	case errors.As(err, &closed):
		e.Message = connector.Excerpt(fmt.Sprintf("the OpenEnv server ended the session (%d %s)",
			closed.Code, closed.Reason))
	default:
		e.Message = "the connection to the OpenEnv server broke"
	}
	return e
}
