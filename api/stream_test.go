package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sparkd"
	"sparkd/api"
)

// cut reads an export that is expected to break off.
func cut(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the answer ends with %v after %q", err, b)
	}
	return string(b)
}

// An export that fails on its way is cut, so that nobody takes it for complete, and
// with cursors it says why and how far it is whole.
func TestExportFailsOnItsWay(t *testing.T) {
	f := newFake()
	f.addTrees("a", 40)
	f.fail("Completed36", &sparkd.Error{Code: sparkd.CodeDamaged, Message: "tree-36 is damaged",
		Remedy: "run sparkd check"})
	s := serve(t, f, api.Options{})
	plain := cut(t, s.do("GET", "/v1/export", ""))
	if n := strings.Count(plain, "\n"); n != 35 || strings.Contains(plain, "cursor") {
		t.Errorf("%d lines: %s", n, plain)
	}
	marked := cut(t, s.do("GET", "/v1/export?cursors=true&after=1", ""))
	for _, want := range []string{
		`{"cursor":"17","trees":16}`, `{"cursor":"33","trees":32}`, `{"cursor":"35","trees":34}`,
		`{"cursor":"","trees":0,"error":{"code":"damaged",`,
	} {
		if !strings.Contains(marked, "\n"+want) {
			t.Errorf("no %s in %s", want, marked)
		}
	}
	if f.ended() != 2 {
		t.Errorf("%d of 2 iterators ended", f.ended())
	}
}

func TestExportFirstErrorHasAStatus(t *testing.T) {
	f := newFake()
	f.addTrees("a", 1)
	f.fault("Completed1", func(context.Context) error { panic("no") })
	s := serve(t, f, api.Options{})
	if resp := s.do("GET", "/v1/export", ""); resp.StatusCode != 500 {
		t.Errorf("a panic before the first line: %s", resp.Status)
	}
	f.fail("Completed1", missing("rollout", "a"))
	if resp := s.do("GET", "/v1/export?rollout=a", ""); resp.StatusCode != 404 {
		t.Errorf("an unknown rollout: %s", resp.Status)
	}
}

func TestExportPanicsOnItsWay(t *testing.T) {
	f := newFake()
	f.addTrees("a", 40)
	f.fault("Completed36", func(context.Context) error { panic("no") })
	s := serve(t, f, api.Options{})
	cut(t, s.do("GET", "/v1/export", ""))
	if resp := s.do("GET", "/healthz", ""); resp.StatusCode != 200 {
		t.Errorf("the server is gone: %s", resp.Status)
	}
}

// A client that stops reading loses its export after one write's deadline.
func TestExportStalledReader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake()
		f.addTrees("a", 5000)
		s := serve(t, f, api.Options{Streams: 1})
		resp := s.do("GET", "/v1/export", "")
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if f.ended() != 0 {
			t.Fatal("the export ended before its deadline")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if f.ended() != 1 {
			t.Fatal("the export holds its iterator for ever")
		}
		_ = resp.Body.Close()
		again := s.do("GET", "/v1/export?limit=1", "")
		if got := text(t, again); again.StatusCode != 200 {
			t.Errorf("the slot was not given back: %s", got)
		}
	})
}

// Shutdown does not wait for exports: they are cut, and go on elsewhere by cursor.
func TestExportAtShutdown(t *testing.T) {
	f := newFake()
	f.addTrees("a", 40)
	reached, goOn := make(chan struct{}), make(chan struct{})
	f.fault("Completed30", func(ctx context.Context) error {
		close(reached)
		<-ctx.Done()
		close(goOn)
		return nil
	})
	s := serve(t, f, api.Options{})
	resp := s.do("GET", "/v1/export?cursors=true", "")
	<-reached
	ended := make(chan error)
	go func() { ended <- s.server.Shutdown(t.Context()) }()
	<-goOn
	got := cut(t, resp)
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if !strings.Contains(got, `{"cursor":"16","trees":16}`) ||
		!strings.Contains(got, `"error":{"code":"unavailable","message":"shutting down"`) {
		t.Errorf("got %s", got)
	}
}
