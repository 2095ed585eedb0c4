package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"sparkd"
	"sparkd/daemon/daemontest"
)

// An interrupted run keeps what is done, says how to go on, and does go on.
func TestInterruptAndResume(t *testing.T) {
	s := newSession(t)
	signals := make(chan os.Signal, 1)
	var once sync.Once
	engine := &daemontest.Engine{Before: func(ctx context.Context, _ sparkd.SampleRequest) error {
		once.Do(func() { signals <- os.Interrupt })
		<-ctx.Done() // the round under way never ends by itself
		return ctx.Err()
	}}
	var stdout screenText
	stderr := screenText{mark: "interrupt again", found: make(chan string, 1)}
	go func() {
		<-stderr.found
		signals <- os.Interrupt
	}()
	code := s.cli(engine, &stdout, &stderr).main(signals, []string{"run", "--id", "broken-off", "--max-steps", "4"})
	if code != exitInterrupted || !strings.Contains(stderr.String(), "sparkd run --resume broken-off") {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	r := s.must("run", "--resume", "broken-off", "--out", "-")
	if !strings.Contains(r.stdout, "reached the goal") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}

// serve runs a daemon on the session's data until the returned function is called.
func (s *session) serve(engine sparkd.Engine) (addr string, stop func()) {
	s.t.Helper()
	signals, ended := make(chan os.Signal, 2), make(chan int, 1)
	log := &screenText{mark: `"address":"`, found: make(chan string, 1)}
	c := s.cli(engine, log, log)
	go func() { ended <- c.main(signals, []string{"serve"}) }()
	return <-log.found, func() {
		signals <- os.Interrupt
		signals <- os.Interrupt // rounds under way may never end
		if code := <-ended; code != exitOK {
			s.t.Errorf("serve ended with %d\n%s", code, log)
		}
	}
}

// An interrupted run leaves the rollout of a running daemon alone and says so.
func TestInterruptBesideADaemon(t *testing.T) {
	s := newSession(t)
	signals := make(chan os.Signal, 1)
	var once sync.Once
	addr, stop := s.serve(&daemontest.Engine{Before: func(ctx context.Context, _ sparkd.SampleRequest) error {
		once.Do(func() { signals <- os.Interrupt })
		<-ctx.Done()
		return ctx.Err()
	}})
	defer stop()
	var stdout, stderr screenText
	code := s.cli(nil, &stdout, &stderr).main(signals, []string{"run", "--addr", addr, "--id", "away"})
	if code != exitInterrupted || !strings.Contains(stderr.String(), "rollout away goes on at "+addr) {
		t.Errorf("exit %d\n%s", code, &stderr)
	}
	if r := s.must("rollouts", "--addr", addr); !strings.Contains(r.stdout, " running ") {
		t.Errorf("%q", r.stdout)
	}
	if r := s.must("cancel", "--addr", addr, "away"); !strings.Contains(r.stdout, " canceled ") {
		t.Errorf("%q", r.stdout)
	}
}

// Commands reach the data of a running daemon, through its API.
func TestCommandsBesideADaemon(t *testing.T) {
	s := newSession(t)
	s.job("first")
	addr, stop := s.serve(&daemontest.Engine{})
	defer stop()
	if r := s.must("rollouts", "--addr", addr); !strings.HasPrefix(r.stdout, "first ") {
		t.Errorf("--addr: %q", r.stdout)
	}
	if r := s.must("rollouts", "--set", "api.listen="+addr); !strings.HasPrefix(r.stdout, "first ") {
		t.Errorf("a locked folder: %q", r.stdout)
	}
	t.Setenv("XDG_DATA_HOME", s.dir) // where the default folder is not there
	var stdout, stderr screenText
	elsewhere := &cli{stdout: &stdout, stderr: &stderr}
	if code := elsewhere.main(nil, []string{"rollouts", "--set", "api.listen=" + addr}); code != exitOK ||
		!strings.HasPrefix(stdout.String(), "first ") {
		t.Errorf("no folder is named and none is there: exit %d\n%s%s", code, &stdout, &stderr)
	}
	if code := elsewhere.main(nil, []string{"rollouts", "--set", "api.listen=127.0.0.1:1"}); code != exitUsage ||
		!strings.Contains(stderr.String(), "--addr") {
		t.Errorf("nor a daemon: exit %d\n%s", code, &stderr)
	}
	if r := s.must("engines", "--set", "api.listen="+addr); !strings.Contains(r.stdout, "scripted") {
		t.Errorf("engines: %q", r.stdout)
	}
	if r := s.run("check"); r.code != exitFailure || !strings.Contains(r.stderr, "stop it and check again") {
		t.Errorf("check: %+v", r)
	}
	if r, _ := s.job("second", "--addr", addr); !strings.Contains(r.stdout, "rollout second") {
		t.Errorf("run --addr: %q", r.stdout)
	}
	if r := s.run("run", "--addr", "127.0.0.1:1"); r.code != exitFailure ||
		!strings.Contains(r.stderr, "no daemon at 127.0.0.1:1") {
		t.Errorf("no daemon: %+v", r)
	}
}
