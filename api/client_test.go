package api_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/branching"
	"sparkd/internal/settings"
)

// overTCP serves f on a free port of this machine.
func overTCP(t *testing.T, f *fake, o api.Options) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	settings.Fill(settings.Of("api", &o))
	o.Logger = zerolog.New(zerolog.NewTestWriter(t))
	s, err := api.NewServer(f, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err == nil {
			t.Log("everything had ended")
		}
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return ln.Addr().String()
}

// The client sends what the server reads and reads what the server sends.
func TestClientAndServer(t *testing.T) {
	f := newFake()
	c, err := client.New(overTCP(t, f, api.Options{Token: "secret"}), "secret")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	spec := branching.DefaultSpec()
	spec.ID = "night-1"
	made, created, err := c.Submit(ctx, spec)
	if err != nil || !created || made.ID != "night-1" || !reflect.DeepEqual(made.Spec, spec) {
		t.Fatalf("Submit: %+v %v %v", made, created, err)
	}
	if _, created, err := c.Submit(ctx, spec); err != nil || created {
		t.Errorf("Submit again: %v %v", created, err)
	}
	spec.Budget.Leaves = -1
	if _, _, err := c.Submit(ctx, spec); sparkd.AsError(err).Field != "budget.leaves" {
		t.Errorf("Submit of a wrong spec: %v", err)
	}
	if got, err := c.Rollout(ctx, "night-1"); err != nil || !reflect.DeepEqual(got, made) {
		t.Errorf("Rollout: %+v %v", got, err)
	}
	if _, err := c.Rollout(ctx, "a/b?c"); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("Rollout of a strange id: %v", err)
	}
	f.rollouts = append(f.rollouts, sparkd.Rollout{ID: "night-2"})
	f.rollouts = append(f.rollouts, sparkd.Rollout{ID: "night-3", State: sparkd.RolloutQueued})
	oldest := api.List{Limit: 1, Oldest: true, States: []sparkd.RolloutState{"running", "queued"}}
	if page, next, err := c.Rollouts(ctx, oldest); err != nil || len(page) != 1 || next != "night-1" {
		t.Errorf("Rollouts: %v %q %v", page, next, err)
	}
	if page, next, err := c.Rollouts(ctx, api.List{After: "night-2"}); err != nil || len(page) != 1 || next != "" {
		t.Errorf("Rollouts: %v %q %v", page, next, err)
	}
	if got, err := c.Cancel(ctx, "night-1"); err != nil || got.State != sparkd.RolloutCanceled {
		t.Errorf("Cancel: %+v %v", got, err)
	}
	f.addTrees("night-1", 1)
	if got, err := c.Tree(ctx, "tree-1"); err != nil || !reflect.DeepEqual(got, f.entries[0].Tree) {
		t.Errorf("Tree: %+v %v", got, err)
	}
	if got, err := c.Info(ctx); err != nil || got.Version != "1.2.3" {
		t.Errorf("Info: %+v %v", got, err)
	}
}

func TestClientFollowsEvents(t *testing.T) {
	f := newFake()
	f.publish("a", 600)
	c, err := client.New(overTCP(t, f, api.Options{}), "")
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(3)
	err = c.Events(t.Context(), "2", "", func(e sparkd.Event) error {
		if e.Seq != next {
			t.Fatalf("event %d in place of %d", e.Seq, next)
		}
		if next++; e.Seq == 600 {
			f.publish("a", 1)
		}
		if e.Seq == 601 {
			return client.ErrStop
		}
		return nil
	})
	if err != nil || next != 602 {
		t.Errorf("Events: %v before %d", err, next)
	}
}

func TestClientExports(t *testing.T) {
	f := newFake()
	f.addTrees("a", 40)
	c, err := client.New(overTCP(t, f, api.Options{}), "")
	if err != nil {
		t.Fatal(err)
	}
	var first, rest bytes.Buffer
	done, err := c.Export(t.Context(), &first, client.ExportOptions{Limit: 20})
	if err != nil || strings.Count(first.String(), "\n") != 20 || done.Cursor != "20" {
		t.Errorf("first: %v, cursor %q, %d lines", err, done.Cursor, strings.Count(first.String(), "\n"))
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(first.Bytes()))
	if m := done.Manifest; m.Lines != 20 || m.Trees != 20 || m.Format != "rows" || m.SHA256 != sum ||
		m.Bytes != int64(first.Len()) {
		t.Errorf("the manifest of 20 trees: %+v", m)
	}
	done, err = c.Export(t.Context(), &rest, client.ExportOptions{
		After: done.Cursor, Rollout: "a",
		Options: map[string]string{"format": "tree", "dedupe": "unique", "advantage": "grpo"},
	})
	if err != nil || strings.Count(rest.String(), "\n") != 20 ||
		done.Cursor != "40" || strings.Contains(rest.String(), "cursor") {
		t.Errorf("rest: %v, cursor %q, %s", err, done.Cursor, rest.String())
	}
	csv := client.ExportOptions{Options: map[string]string{"format": "csv"}}
	if _, err := c.Export(t.Context(), &rest, csv); sparkd.AsError(err).Field != "format" {
		t.Errorf("bad format: %v", err)
	}
}

// The network's own timeout is answered, too.
func TestSlowRequestOverTCP(t *testing.T) {
	c, err := net.Dial("tcp", overTCP(t, newFake(), api.Options{ReadTimeout: 20 * time.Millisecond}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = fmt.Fprint(c, "POST /v1/rollouts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n{")
	if err != nil {
		t.Fatal(err)
	}
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(c); err != nil || !strings.HasPrefix(answer.String(), "HTTP/1.1 408 ") {
		t.Errorf("%v %s", err, answer.String())
	}
}

// Who sends a body that is too large to its end, and only then reads, gets the answer.
func TestLargeRequestOverTCP(t *testing.T) {
	c, err := net.Dial("tcp", overTCP(t, newFake(), api.Options{MaxBody: 1024}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 16 << 20 // more than the buffers of a connection hold
	const head = "POST /v1/rollouts HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
	if _, err := fmt.Fprintf(c, head, size); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Write(make([]byte, size)); err != nil {
		t.Fatalf("cut after %d bytes: %v", n, err)
	}
	var answer bytes.Buffer
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := answer.ReadFrom(c); err != nil || !strings.HasPrefix(answer.String(), "HTTP/1.1 413 ") {
		t.Errorf("%v %s", err, answer.String())
	}
}
