package daemon_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// trainer is a client process that drives corridors of its own over HTTP.
type trainer struct {
	*running
	id     string
	copies map[int]sparkd.Env
	last   uint64 // the newest call seen
	calls  int
}

func (r *running) session(s sparkd.SessionSpec) *trainer {
	r.t.Helper()
	got, created, err := r.Client.OpenSession(r.t.Context(), s)
	if err != nil || !created {
		r.t.Fatalf("created %v, %v", created, err)
	}
	return &trainer{running: r, id: got.ID, copies: map[int]sparkd.Env{}}
}

func sessionSpec(fork string) sparkd.SessionSpec {
	s := sparkd.DefaultSessionSpec()
	s.Fork = fork
	tasks := s.Rollout.Tasks
	s.Rollout = spec(2)
	s.Rollout.Tasks.Env, s.Rollout.Tasks.Split = tasks.Env, tasks.Split
	s.Rollout.ID = "mine"
	return s
}

// serve makes calls until the rollout has ended, or so many were made.
func (tr *trainer) serve(most int) sparkd.RolloutState {
	tr.t.Helper()
	for {
		c, err := tr.Client.SessionCalls(tr.t.Context(), tr.id, tr.last, 20)
		if err != nil {
			tr.t.Fatal(err)
		}
		var answers []sparkd.EnvAnswer
		for _, call := range c.Calls {
			if tr.calls == most {
				return c.State
			}
			tr.last = call.ID
			tr.calls++
			if a, ok := tr.act(call); ok {
				answers = append(answers, a)
			}
		}
		if stale, err := tr.Client.SessionAnswers(tr.t.Context(), tr.id, answers); err != nil || len(stale) > 0 {
			tr.t.Fatalf("stale %v, %v", stale, err)
		}
		if c.State.Ended() && len(c.Calls) == 0 {
			return c.State
		}
	}
}

func (tr *trainer) act(c sparkd.EnvCall) (a sparkd.EnvAnswer, answered bool) {
	ctx := context.Background()
	a.ID = c.ID
	see := func(o sparkd.Observation, err error) *sparkd.Observation {
		if err != nil {
			a.Error = err.Error()
		}
		return &o
	}
	switch c.Op {
	case "reset":
		tr.copies[c.Copy] = &daemontest.Corridor{}
		a.Observation = see(tr.copies[c.Copy].Reset(ctx, *c.Task))
	case "step":
		a.Observation = see(tr.copies[c.Copy].Step(ctx, *c.Action))
	case "fork":
		tr.copies[c.Copy], _ = tr.copies[c.From].(sparkd.Forker).Fork(ctx)
	case "replay":
		tr.copies[c.Copy] = &daemontest.Corridor{}
		a.Observations = append(a.Observations, *see(tr.copies[c.Copy].Reset(ctx, *c.Task)))
		for _, action := range c.Actions {
			a.Observations = append(a.Observations, *see(tr.copies[c.Copy].Step(ctx, action)))
		}
	case "close":
		delete(tr.copies, c.Copy)
		return a, false
	}
	return a, true
}

// A session's trees are those that the daemon would have grown with the environment on
// its own side, whether the client copies its environments or replays them.
func TestSessions(t *testing.T) {
	corridor := func(context.Context, string) (sparkd.Env, error) { return &daemontest.Corridor{}, nil }
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{OpenEnv: corridor})
	inside := spec(2)
	want := r.wait(r.submit(inside).ID)
	if want.Stats.Forks == 0 {
		t.Fatalf("nothing forked: %+v", want.Stats)
	}
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		s := sessionSpec(fork)
		s.Rollout.ID = fork
		tr := r.session(s)
		if state := tr.serve(-1); state != sparkd.RolloutDone {
			t.Fatalf("%s: the rollout ended %s", fork, state)
		}
		got := r.wait(tr.id)
		if (got.Stats.ReplaySteps > 0) != (fork == sparkd.ForkReplay) {
			t.Errorf("%s: %d replayed steps", fork, got.Stats.ReplaySteps)
		}
		if got.Stats.Leaves != 16 || got.Stats.Failed != 0 {
			t.Errorf("%s: %+v", fork, got.Stats)
		}
	}
}

// A trainer that is lost ends its branches with a typed failure, not with a reward.
func TestSessionLost(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	s := sessionSpec(sparkd.ForkReplay)
	s.IdleTimeout = 0.2
	tr := r.session(s)
	tr.serve(12)
	got := r.wait(tr.id)
	if got.State != sparkd.RolloutFailed && got.State != sparkd.RolloutDone || got.Stats.Failed == 0 {
		t.Fatalf("%+v", got)
	}
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Failed() && (n.Error.Code != sparkd.CodeUnavailable || n.Reward != 0) {
				t.Errorf("node %d: %v, reward %v", n.ID, n.Error, n.Reward)
			}
		}
	}
}

func TestSessionClosed(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	tr := r.session(sessionSpec(sparkd.ForkReplay))
	tr.serve(12)
	if _, err := r.Client.CloseSession(t.Context(), tr.id); err != nil {
		t.Fatal(err)
	}
	if got := r.wait(tr.id); got.Stats.Failed == 0 {
		t.Errorf("%+v", got)
	}
	c, err := r.Client.SessionCalls(t.Context(), tr.id, 0, 20)
	open := slices.ContainsFunc(c.Calls, func(call sparkd.EnvCall) bool { return call.Op != "close" })
	if err != nil || !c.State.Ended() || open {
		t.Errorf("after the end: %+v, %v", c, err)
	}
	stale, err := r.Client.SessionAnswers(t.Context(), tr.id, []sparkd.EnvAnswer{{ID: 3}})
	if err != nil || len(stale) != 1 {
		t.Errorf("an answer after the end: stale %v, %v", stale, err)
	}
}

// A session survives a restart of the daemon: the client asks on, its copies are rebuilt
// by replay.
func TestSessionOverARestart(t *testing.T) {
	whole := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	undisturbed := whole.session(sessionSpec(sparkd.ForkNative))
	undisturbed.serve(-1)
	want := whole.wait("mine")

	c := config(t, filepath.Join(t.TempDir(), "data"))
	first := start(t, c, daemon.Parts{})
	tr := first.session(sessionSpec(sparkd.ForkNative))
	tr.serve(30)
	first.Daemon.StopNow()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, c, daemon.Parts{})
	tr.running, tr.last, tr.copies, tr.calls = second, 0, map[int]sparkd.Env{}, 0
	_, created, err := second.Client.OpenSession(t.Context(), sessionSpec(sparkd.ForkNative))
	if err != nil || created {
		t.Fatalf("created %v, %v", created, err)
	}
	tr.serve(-1)
	got := second.wait("mine")
	if got.State != sparkd.RolloutDone {
		t.Fatalf("%+v", got)
	}
	got.Stats.ReplaySteps, want.Stats.ReplaySteps = 0, 0
	if !reflect.DeepEqual(got.Stats, want.Stats) {
		t.Errorf("with a restart %+v\nwithout %+v", got.Stats, want.Stats)
	}
}

func TestSessionRefusals(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	s := spec(1)
	s.Tasks.Env, s.Tasks.Split = sparkd.EnvClient, "train"
	_, _, err := r.Client.Submit(t.Context(), s)
	if e := sparkd.AsError(err); e == nil || e.Field != "tasks.env" || e.Remedy != "POST /v1/sessions with it" {
		t.Errorf("a rollout without a session: %v", err)
	}
	bad := sessionSpec(sparkd.ForkReplay)
	bad.Rollout.Tasks.Split = "trian"
	_, _, err = r.Client.OpenSession(t.Context(), bad)
	if e := sparkd.AsError(err); e == nil || e.Field != "rollout.tasks.split" || e.Remedy != "one of eval, train" {
		t.Errorf("an unknown split: %v", err)
	}
	done := r.wait(r.submit(spec(1)).ID)
	if _, err := r.Client.SessionCalls(t.Context(), done.ID, 0, 0); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("calls of a rollout without a session: %v", err)
	}
	if _, err := r.Client.CloseSession(t.Context(), "nobody"); sparkd.CodeOf(err) != sparkd.CodeNotFound {
		t.Errorf("closing an unknown session: %v", err)
	}
}

// The Python package drives a session: a rollout from a trainer's process, whole.
func TestSessionInPython(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	inside := r.session(sessionSpec(sparkd.ForkNative))
	inside.serve(-1)
	want := r.wait(inside.id)
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		got := r.python(fork)
		if got.State != sparkd.RolloutDone || (got.Stats.ReplaySteps > 0) != (fork == sparkd.ForkReplay) {
			t.Errorf("%s: %s, %+v", fork, got.State, got.Stats)
		}
		got.Stats.ReplaySteps = want.Stats.ReplaySteps
		if got.Stats != want.Stats {
			t.Errorf("%s: %+v, want %+v", fork, got.Stats, want.Stats)
		}
	}
}

// An answer that is too large for the daemon fails the branch that it is for.
func TestSessionWithALargeAnswer(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	got := r.python("large")
	if got.State != sparkd.RolloutDone || got.Stats.Failed != 1 || got.Stats.Leaves != 16 {
		t.Fatalf("%s, %+v", got.State, got.Stats)
	}
	for _, id := range got.Trees {
		tree, err := r.Client.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Failed() && (n.Error.Code != sparkd.CodeEnv ||
				!strings.Contains(n.Error.Message, "raise api.max_body") || n.Reward != 0) {
				t.Errorf("%v, reward %v", n.Error, n.Reward)
			}
		}
	}
}

// python runs testdata/corridor.py, a client process, to its end.
func (r *running) python(kind string) (got sparkd.Rollout) {
	t := r.t
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: there is no python3, so the Python side of sessions is not tested")
	}
	s := sessionSpec(sparkd.ForkReplay).Rollout
	s.ID = "python-" + kind
	request, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python,
		"testdata/corridor.py", "http://"+r.Addr().String(), string(request), kind)
	cmd.Env = append(os.Environ(), "PYTHONPATH=../python", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}
