package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd/api"
)

// blocks reads a stream of events block by block, each without its blank line.
type blocks struct {
	t    *testing.T
	resp *http.Response
	r    *bufio.Reader
}

func follow(t *testing.T, resp *http.Response) *blocks {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s %s: %s", resp.Status, resp.Header.Get("Content-Type"), text(t, resp))
	}
	b := &blocks{t, resp, bufio.NewReader(resp.Body)}
	b.want("retry: 1000")
	return b
}

func (b *blocks) next() (string, error) {
	var block strings.Builder
	for {
		line, err := b.r.ReadString('\n')
		if err != nil {
			return block.String(), err
		}
		if line == "\n" {
			return strings.TrimSuffix(block.String(), "\n"), nil
		}
		block.WriteString(line)
	}
}

func (b *blocks) want(prefix string) {
	b.t.Helper()
	if got, err := b.next(); err != nil || !strings.HasPrefix(got, prefix) {
		b.t.Fatalf("got %q, %v; want %q…", got, err, prefix)
	}
}

func (b *blocks) wantEnd() {
	b.t.Helper()
	if got, err := b.next(); err != io.EOF || got != "" {
		b.t.Fatalf("got %q, %v; want a proper end", got, err)
	}
	_ = b.resp.Body.Close()
}

func TestEventsFollowAndResume(t *testing.T) {
	f := newFake()
	f.publish("a", 3)
	s := serve(t, f, api.Options{})
	first := follow(t, s.do("GET", "/v1/events?after=1", ""))
	first.want("id: 2\nevent: round\ndata: {\"seq\":2,")
	first.want("id: 3\n")
	f.publish("a", 1) // while the client waits
	first.want("id: 4\n")
	_ = first.resp.Body.Close()

	f.publish("b", 2)
	second := follow(t, s.do("GET", "/v1/events?after=1", "", "Last-Event-ID", "4")) // the header wins
	second.want("id: 5\n")
	second.want("id: 6\n")
	_ = second.resp.Body.Close()

	filtered := follow(t, s.do("GET", "/v1/events?rollout=b", ""))
	filtered.want("id: 5\n")
	_ = filtered.resp.Body.Close()

	latest := follow(t, s.do("GET", "/v1/events?after=latest", ""))
	f.publish("a", 1)
	latest.want("id: 7\n")
	_ = latest.resp.Body.Close()
}

// More events than one read of the log returns come in order and without gaps.
func TestEventsLongLog(t *testing.T) {
	f := newFake()
	f.publish("a", 1000)
	f.publish("b", 1)
	s := serve(t, f, api.Options{})
	all := follow(t, s.do("GET", "/v1/events", ""))
	for i := range 1001 {
		all.want(fmt.Sprintf("id: %d\n", i+1))
	}
	_ = all.resp.Body.Close()
	last := text(t, s.do("GET", "/v1/events?stream=false&rollout=b", ""))
	if !strings.Contains(last, `"next":"1001"`) || strings.Count(last, `"seq"`) != 1 {
		t.Errorf("page: %s", last)
	}
}

func TestEventsHeartbeat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := serve(t, newFake(), api.Options{})
		start := time.Now()
		b := follow(t, s.do("GET", "/v1/events", ""))
		b.want(": ping")
		b.want(": ping")
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("two heartbeats after %v", d)
		}
		_ = b.resp.Body.Close()
	})
}

// A client that left is noticed by the heartbeats, one that stops reading by the
// deadline of a write; both give back what they held.
func TestEventsClientGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake()
		s := serve(t, f, api.Options{})
		left := follow(t, s.do("GET", "/v1/events", ""))
		stalled := s.do("GET", "/v1/events", "")
		synctest.Wait()
		if n := f.subscribers(); n != 2 {
			t.Fatalf("%d subscribers", n)
		}
		_ = left.resp.Body.Close()
		f.publish("a", 100_000) // more than any buffer takes
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := f.subscribers(); n != 1 {
			t.Fatalf("%d subscribers after one left", n)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := f.subscribers(); n != 0 {
			t.Fatalf("%d subscribers after the other stalled", n)
		}
		_ = stalled.Body.Close()
		if log := s.log.String(); !strings.Contains(log, `"cut":`) {
			t.Errorf("log: %s", log)
		}
	})
}

func TestEventsEndAtShutdown(t *testing.T) {
	s := serve(t, newFake(), api.Options{})
	b := follow(t, s.do("GET", "/v1/events", ""))
	ended := make(chan error)
	go func() { ended <- s.server.Shutdown(t.Context()) }()
	b.want(": shutting down")
	b.wantEnd()
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestEventsErrorAndPanic(t *testing.T) {
	f := newFake()
	f.publish("a", 1)
	s := serve(t, f, api.Options{})
	f.fail("Events", errors.New("secret"))
	b := follow(t, s.do("GET", "/v1/events", ""))
	b.want("event: error\ndata: {\"code\":\"internal\",\"message\":\"internal error\"")
	b.wantEnd()

	f.fault("Events", func(context.Context) error { panic("out of order") })
	b = follow(t, s.do("GET", "/v1/events", ""))
	if got, err := b.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after a panic: %q, %v", got, err)
	}
	if log := s.log.String(); !strings.Contains(log, "panic: out of order") || !strings.Contains(log, "events.go") {
		t.Errorf("the log lacks the panic: %s", log)
	}
	if resp := s.do("GET", "/healthz", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the server is gone: %s", resp.Status)
	}
	if n := f.subscribers(); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	f := newFake()
	f.addTrees("a", 1)
	s := serve(t, f, api.Options{Streams: 1})
	b := follow(t, s.do("GET", "/v1/events", ""))
	for _, target := range []string{"/v1/events", "/v1/export"} {
		resp := s.do("GET", target, "")
		got := text(t, resp)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
			!strings.Contains(got, "too many open streams") {
			t.Errorf("%s: %s %s", target, resp.Status, got)
		}
	}
	if f.ended() != 1 {
		t.Errorf("the refused export left its iterator open")
	}
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(": shutting down")
}
