package api

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// listener bounds what clients can hold: the number of connections, and the time each write may take. fasthttp's
// own WriteTimeout is set once per answer and would cut every long stream; here it starts anew with every write.
type listener struct {
	net.Listener
	limit int
	write time.Duration

	mu    sync.Mutex
	conns map[*conn]struct{}
}

func newListener(ln net.Listener, limit int, write time.Duration) *listener {
	return &listener{Listener: ln, limit: limit, write: write, conns: map[*conn]struct{}{}}
}

// tooMany is answered over the limit, before any request is read.
var tooMany = func() string {
	body := `{"code":"unavailable","message":"too many connections",` +
		`"remedy":"close some, or raise api.connections"}` + "\n"
	return fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\n"+
		"Content-Type: application/json\r\n"+
		"Retry-After: %s\r\n"+
		"Connection: close\r\n"+
		"Content-Length: %d\r\n\r\n%s", retryAfter, len(body), body)
}()

// Accept returns the next connection within the limit.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, listener: l}
		if l.add(c) {
			return c, nil
		}
		_ = raw.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(raw, tooMany)
		_ = raw.Close()
	}
}

func (l *listener) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.limit {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

// drop closes every open connection, whatever it is doing.
func (l *listener) drop() {
	l.mu.Lock()
	open := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range open {
		c.refused.Store(false)
		_ = c.Close()
	}
}

type conn struct {
	net.Conn
	listener *listener
	refused  atomic.Bool // an answer went out before the request was read to its end
}

func (c *conn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.listener.write)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// reset has Close tell the client that something is missing.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // the connection is given up in any case
	}
}

func (c *conn) Close() error {
	if c.refused.Swap(false) {
		c.linger()
	}
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// lingering is how long a refused client may go on sending.
const lingering = 2 * time.Second

// linger takes in what a refused client still sends. Closed with unread data, TCP resets the connection, and a
// client that writes its whole request before it reads (as Python's http.client does) never sees the answer.
func (c *conn) linger() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(lingering))
	_, _ = io.Copy(io.Discard, c.Conn)
}
