package bench_test

import (
	"context"
	"net"
	"testing"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/env/alfworld"
	session "sparkd/env/session"
	"sparkd/internal/settings"
)

// overHTTP measures sessions: sparkd's own server and client on this machine, both in
// this process; the client's environments are households, which it forks natively or
// replays.
func overHTTP(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		spec := sparkd.DefaultSessionSpec()
		spec.Fork = fork
		s := session.New(&spec)
		left := make(chan error, 1)
		c := serve(t, oneSession{session: s})
		go func() { left <- answer(t.Context(), c) }()
		measure(t, &world{name: "session_" + fork, open: s.Open, tasks: numbered(4), next: wander(), steps: 40,
			rounds: 10, forks: 20, copies: 50})
		s.End()
		if err := <-left; err != nil {
			t.Error(err)
		}
	}
}

// oneSession is a daemon that has a session and nothing else.
type oneSession struct {
	api.Backend
	session *session.Session
}

func (b oneSession) SessionCalls(ctx context.Context, _ string, after uint64) (out api.SessionCalls, err error) {
	var ended bool
	out.Calls, ended = b.session.Fetch(ctx, after)
	if out.State = sparkd.RolloutRunning; ended {
		out.State = sparkd.RolloutDone
	}
	return out, nil
}

func (b oneSession) SessionAnswers(_ context.Context, _ string, answers []sparkd.EnvAnswer) ([]uint64, error) {
	return b.session.Answer(answers), nil
}

func serve(t *testing.T, b api.Backend) *client.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.NewServer(b, settings.Default[api.Options]())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // what is cut is idle
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(listener.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answer drives the client's environments until the session ends.
func answer(ctx context.Context, c *client.Client) error {
	copies, last := map[int]sparkd.Forker{}, uint64(0)
	for {
		got, err := c.SessionCalls(ctx, "bench", last, 20)
		if err != nil {
			return err
		}
		var answers []sparkd.EnvAnswer
		for _, call := range got.Calls {
			if last = call.ID; call.Op == "close" {
				delete(copies, call.Copy)
				continue
			}
			answers = append(answers, act(ctx, copies, &call))
		}
		if _, err := c.SessionAnswers(ctx, "bench", answers); err != nil {
			return err
		}
		if got.State.Ended() {
			return nil
		}
	}
}

// act makes one call.
func act(ctx context.Context, copies map[int]sparkd.Forker, call *sparkd.EnvCall) sparkd.EnvAnswer {
	a := sparkd.EnvAnswer{ID: call.ID}
	var o sparkd.Observation
	var err error
	switch call.Op {
	case "reset", "replay":
		copies[call.Copy] = alfworld.New()
		o, err = copies[call.Copy].Reset(ctx, *call.Task)
		a.Observations = []sparkd.Observation{o}
		for _, action := range call.Actions {
			if err == nil {
				o, err = copies[call.Copy].Step(ctx, action)
				a.Observations = append(a.Observations, o)
			}
		}
	case "step":
		o, err = copies[call.Copy].Step(ctx, *call.Action)
	case "fork":
		var fork sparkd.Env
		if fork, err = copies[call.From].Fork(ctx); err == nil {
			copies[call.Copy] = fork.(sparkd.Forker)
		}
	}
	a.Observation = &o
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
