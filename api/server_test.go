package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/internal/settings"
)

func TestListenNeedsToken(t *testing.T) {
	tests := []struct{ listen, token, field string }{
		{"127.0.0.1:8787", "", ""},
		{"127.1.2.3:0", "", ""},
		{"[::1]:8787", "", ""},
		{"localhost:8787", "", ""},
		{"0.0.0.0:8787", "secret", ""},
		{":8787", "secret", ""},
		{"0.0.0.0:8787", "", "api.token"},
		{":8787", "", "api.token"},
		{"[::]:8787", "", "api.token"},
		{"192.168.1.2:8787", "", "api.token"},
		{"trainer:8787", "", "api.token"},
		{"127.0.0.1", "", "api.listen"},
	}
	for _, test := range tests {
		o := settings.Default[api.Options]()
		o.Listen, o.Token = test.listen, test.token
		_, err := api.NewServer(newFake(), o)
		e := sparkd.AsError(err)
		if (e == nil) != (test.field == "") || e != nil && (e.Field != test.field || e.Remedy == "") {
			t.Errorf("%s with token %q: %v", test.listen, test.token, err)
		}
	}
}

// dial opens a raw connection and sends what is given.
func (s *served) dial(send string) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := s.ln.Dial()
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(c, send); err != nil {
		s.t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func answer(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text(t, resp)
}

func TestUnreadableRequests(t *testing.T) {
	const post = "POST /v1/rollouts HTTP/1.1\r\nHost: localhost\r\n"
	tests := []struct {
		name, send string
		status     int
		says       string
	}{
		{"headers too large",
			"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n",
			431, `"too_large"`},
		{"slow headers", "GET /healthz HT", 408, `"message":"the request did not arrive within 30s"`},
		{"slow body", post + "Content-Length: 10\r\n\r\n{", 408, `"deadline"`},
		{"chunks too large",
			post + "Transfer-Encoding: chunked\r\n\r\n400\r\n" + strings.Repeat(" ", 1024) + "\r\n1\r\n \r\n0\r\n\r\n",
			413, `"the body is over 1024 bytes"`},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, `"this is no HTTP request"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := serve(t, newFake(), api.Options{MaxBody: 1024})
				c, r := s.dial(test.send)
				defer c.Close()
				if status, body := answer(t, r); status != test.status || !strings.Contains(body, test.says) {
					t.Errorf("%d %s", status, body)
				}
			})
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := serve(t, newFake(), api.Options{Connections: 1})
	first, r := s.dial("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if status, _ := answer(t, r); status != 200 {
		t.Fatal(status)
	}
	second, err := s.ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	status, body := answer(t, bufio.NewReader(second))
	if status != 503 || !strings.Contains(body, `"too many connections"`) {
		t.Errorf("%d %s", status, body)
	}
	_ = first.Close()
}

func TestRequestDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake()
		f.fault("Rollout", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		s := serve(t, f, api.Options{})
		resp := s.do("GET", "/v1/rollouts/a", "")
		if got := text(t, resp); resp.StatusCode != 504 || !strings.Contains(got, `"no answer within 30s"`) {
			t.Errorf("%s %s", resp.Status, got)
		}
	})
}

// Shutdown lets a request finish, and cuts it when its own time is up.
func TestShutdownWaits(t *testing.T) {
	for _, patience := range []time.Duration{time.Minute, time.Second} {
		bubble(t, func(t *testing.T) {
			f := newFake()
			f.fault("Tree", func(ctx context.Context) error {
				select {
				case <-time.After(10 * time.Second):
					return missing("tree", "a")
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			s := serve(t, f, api.Options{})
			status := make(chan int)
			go func() {
				resp, err := s.http.Get("http://localhost/v1/trees/a")
				if err != nil {
					status <- 0
					return
				}
				_ = resp.Body.Close()
				status <- resp.StatusCode
			}()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := s.server.Shutdown(ctx)
			got := <-status
			if patience > 10*time.Second && (err != nil || got != 404) {
				t.Errorf("with time: Shutdown %v, status %d", err, got)
			}
			if patience < 10*time.Second && (!errors.Is(err, context.DeadlineExceeded) || got == 404) {
				t.Errorf("without: Shutdown %v, status %d", err, got)
			}
		})
	}
}

func TestServeAfterShutdown(t *testing.T) {
	s := serve(t, newFake(), api.Options{})
	s.stop()
	if err := s.server.Serve(s.ln); err != nil && !strings.Contains(err.Error(), "closed") {
		t.Errorf("Serve after Shutdown: %v", err)
	}
}

func TestRequestIDAndAccessLog(t *testing.T) {
	s := serve(t, newFake(), api.Options{})
	for _, sent := range []string{"", "two words", strings.Repeat("x", 65)} {
		id := s.do("GET", "/healthz", "", "X-Request-Id", sent).Header.Get("X-Request-Id")
		if len(id) != 26 {
			t.Errorf("id %q in place of %q", id, sent)
		}
	}
	s.do("GET", "/v1/rollouts/a", "")
	s.stop()
	log := s.log.String()
	for _, want := range []string{
		`"level":"info","request":"request-1","method":"GET","path":"/v1/rollouts/a"`, `"status":404`,
		`"level":"debug"`, `"path":"/healthz"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}

// What a client may not see is in the log under the request's id.
func TestInternalErrorsAreLogged(t *testing.T) {
	f := newFake()
	f.fail("Rollout", &sparkd.Error{Code: sparkd.CodeStore, Message: "the store cannot be read",
		Err: errors.New("the cause")})
	f.fault("Tree", func(context.Context) error { panic("the panic") })
	s := serve(t, f, api.Options{})
	text(t, s.do("GET", "/v1/rollouts/a", ""))
	text(t, s.do("GET", "/v1/trees/a", ""))
	s.stop()
	for _, want := range []string{
		`"request":"request-1","error":"the store cannot be read","cause":"the cause"`, `panic: the panic`,
		"fake_test.go",
	} {
		if log := s.log.String(); !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
}
