package daemon_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

func TestSubmitRefuses(t *testing.T) {
	engine := &daemontest.Engine{NoEntropy: true}
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{Engine: engine})
	tests := []struct {
		name  string
		set   func(*sparkd.Spec)
		field string
		says  string
	}{
		{"environment", func(s *sparkd.Spec) { s.Tasks.Env = "webshop" },
			"tasks.env", "use household, or configure it as [env.webshop]"},
		{"split", func(s *sparkd.Spec) { s.Tasks.Split = "test" }, "tasks.split", "l0, l1, l2, train"},
		{"first task", func(s *sparkd.Spec) { s.Tasks.From = 1 << 30 }, "tasks.from", "has the tasks 0 to"},
		{"number of tasks", func(s *sparkd.Spec) { s.Tasks.From, s.Tasks.Count = 9999, 2 },
			"tasks.count", "there are 1 tasks from 9999 on, not 2"},
		{"index", func(s *sparkd.Spec) { s.Tasks.Indices = []int{0, 1 << 30} }, "tasks.indices[1]", "there is no task"},
		{"policy", func(s *sparkd.Spec) { s.Policy.Name = "mcts" }, "policy.name", "spark, linear, random, random-k"},
		{"policy without its signal", func(s *sparkd.Spec) { s.Policy = sparkd.Policy{Name: "entropy", Roots: new(4)} },
			"policy.name", "no entropies"},
		{"answer longer than the context", func(s *sparkd.Spec) {
			s.MaxSteps, s.Sampling.MaxTokens = 1, sparkd.MaxMaxTokens
		}, "", ""},
		{"stop token", func(s *sparkd.Spec) { s.Sampling.StopTokenIDs = []sparkd.Token{1, 70000} },
			"sampling.stop_token_ids[1]", "no token 70000"},
		{"capability", func(s *sparkd.Spec) { s.Require = []string{"token_exact", "entropy", "abort"} },
			"require", "lacks entropy, abort"},
		{"capability that is none", func(s *sparkd.Spec) { s.Require = []string{"speed"} },
			"require[0]", "token_exact, logprobs"},
		{"M over N", func(s *sparkd.Spec) { s.Policy.Roots = new(9) }, "policy.roots", "do not fit"},
		{"temperature", func(s *sparkd.Spec) { s.Sampling.Temperature = -1 },
			"sampling.temperature", "not a temperature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := spec(1)
			tt.set(&s)
			_, _, err := r.Client.Submit(t.Context(), s)
			if tt.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := sparkd.AsError(err)
			if err == nil || e.Code != sparkd.CodeInvalid || e.Field != tt.field ||
				!strings.Contains(e.Error(), tt.says) || e.Remedy == "" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// The same id is the same rollout, however often and from however many it is asked for.
func TestSubmitIsIdempotent(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	s := spec(2)
	s.ID = "once"
	var created atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, new, err := r.Client.Submit(t.Context(), s)
			if err != nil || got.ID != "once" || len(got.Trees) != 2 {
				t.Errorf("%v %+v", err, got)
			}
			if new {
				created.Add(1)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("created %d times", created.Load())
	}
	first := r.wait("once")
	if again := r.submit(s); again.State != sparkd.RolloutDone || again.Trees[0] != first.Trees[0] {
		t.Errorf("afterwards: %+v", again)
	}
	s.Seed++
	if _, _, err := r.Client.Submit(t.Context(), s); sparkd.CodeOf(err) != sparkd.CodeConflict {
		t.Errorf("another request with the id: %v", err)
	}
}

// gate holds every sampling request until it is opened.
type gate struct {
	entered chan string // ids of the trees that arrived
	opened  chan struct{}
}

func newGate() *gate { return &gate{entered: make(chan string, 1024), opened: make(chan struct{})} }

func (g *gate) engine() *daemontest.Engine {
	return &daemontest.Engine{Before: func(ctx context.Context, r sparkd.SampleRequest) error {
		select {
		case g.entered <- r.Tree:
		default:
		}
		select {
		case <-g.opened:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func TestQueueIsBounded(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees, c.Daemon.Queue = 1, 2
	g := newGate()
	r := start(t, c, daemon.Parts{Engine: g.engine()})
	var ids []string
	for i := range 3 { // one runs, two wait
		s := spec(1)
		s.ID = fmt.Sprint("r", i)
		ids = append(ids, r.submit(s).ID)
	}
	_, _, err := r.Client.Submit(t.Context(), spec(1))
	if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeQueueFull || e.Remedy == "" {
		t.Fatalf("the fourth: %v", err)
	}
	known := spec(1)
	known.ID = "r2"
	if got := r.submit(known); got.State != sparkd.RolloutQueued {
		t.Errorf("a known one: %+v", got)
	}
	if info := r.Daemon.Info(); info.Queued != 2 || info.Running != 1 {
		t.Errorf("%d wait, %d run", info.Queued, info.Running)
	}
	if got, err := r.Client.Cancel(t.Context(), "r1"); err != nil || got.State != sparkd.RolloutCanceled {
		t.Errorf("%v %+v", err, got)
	}
	ids = append(ids, r.submit(spec(1)).ID)
	close(g.opened)
	for _, id := range ids {
		if got := r.wait(id); got.State != sparkd.RolloutDone && id != "r1" {
			t.Errorf("%s ended %s", id, got.State)
		}
	}
}

func TestManyRolloutsAtOnce(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Daemon.Trees = 16
	r := start(t, c, daemon.Parts{})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			s := spec(1)
			s.MaxSteps, s.Tasks.From, s.Seed = 4, i, uint64(i)
			got, _, err := r.Client.Submit(t.Context(), s)
			if err != nil {
				t.Error(err)
				return
			}
			if got = r.wait(got.ID); got.State != sparkd.RolloutDone || got.Stats.Leaves < 4 {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
	if info := r.Daemon.Info(); info.Queued+info.Running != 0 {
		t.Errorf("%d wait, %d run after the end", info.Queued, info.Running)
	}
}
