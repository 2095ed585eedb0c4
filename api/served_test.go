package api_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"sparkd/api"
	"sparkd/internal/settings"
)

// TestMain starts fasthttp's process-wide clock outside of every synctest bubble.
func TestMain(m *testing.M) {
	var h fasthttp.ResponseHeader
	h.Header()
	os.Exit(m.Run())
}

// served is a server under test over an in-memory network.
type served struct {
	t      testing.TB
	server *api.Server
	ln     *fasthttputil.InmemoryListener
	http   *http.Client
	log    *logBuffer
	ended  chan error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func serve(t testing.TB, b api.Backend, o api.Options) *served {
	t.Helper()
	s := &served{t: t, ln: fasthttputil.NewInmemoryListener(), log: &logBuffer{}, ended: make(chan error, 1)}
	settings.Fill(settings.Of("api", &o))
	o.Logger = zerolog.New(s.log)
	var err error
	if s.server, err = api.NewServer(b, o); err != nil {
		t.Fatal(err)
	}
	s.http = &http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return s.ln.Dial() },
	}}
	go func() { s.ended <- s.server.Serve(s.ln) }()
	t.Cleanup(s.stop)
	return s
}

// stop ends the server; what is still open gets no time.
func (s *served) stop() {
	s.http.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.server.Shutdown(ctx)
	if err := <-s.ended; err != nil {
		s.t.Errorf("Serve: %v", err)
	}
	s.ended <- nil
}

// do makes a request whose headers are given as name, value, name, value …
func (s *served) do(method, target, body string, headers ...string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://127.0.0.1"+target, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "request-1")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	return resp
}

// bubble runs f under synctest's clock and lets fasthttp's last goroutine, which
// sleeps for ten seconds at a time, end before it leaves.
func bubble(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) })
		f(t)
	})
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return string(b)
}
