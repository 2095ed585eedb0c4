package envtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sparkd"
	"sparkd/env/alfworld"
	"sparkd/env/envtest"
)

// defects are environments that break the contract in one way each, and what the suite
// must say about it.
var defects = map[string]struct {
	env   func() sparkd.Env
	words string
}{
	"declares another fork": {func() sparkd.Env { return struct{ sparkd.Env }{alfworld.New()} }, "declares fork"},
	"forks share their state": {func() sparkd.Env { return &broken{Env: alfworld.New(), shared: true} },
		"another observation"},
	"never the same twice": {func() sparkd.Env { return &broken{Env: alfworld.New(), noise: true} },
		"another observation"},
	"refuses unknown text": {func() sparkd.Env { return &broken{Env: alfworld.New(), refuses: true} },
		"want an observation"},
	"goes on after the end": {func() sparkd.Env { return &broken{Env: alfworld.New(), endless: true} },
		"after the end"},
	"replay forgets a step": {func() sparkd.Env { return &broken{Env: alfworld.New(), forgets: true} }, "replay of"},
	"leaves a goroutine":    {func() sparkd.Env { return &broken{Env: alfworld.New(), leaks: true} }, "goroutines"},
}

type broken struct {
	*alfworld.Env
	shared, noise, refuses, endless, forgets, leaks bool
	done                                            bool
}

var calls int

func (b *broken) Reset(ctx context.Context, task sparkd.Task) (sparkd.Observation, error) {
	o, err := b.Env.Reset(ctx, task)
	b.done = o.Done
	if calls++; b.noise {
		o.Reward = float64(calls)
	}
	if b.leaks {
		go func() { select {} }()
	}
	return o, err
}

func (b *broken) Step(ctx context.Context, action string) (sparkd.Observation, error) {
	if b.done && b.endless {
		return sparkd.Observation{Done: true}, ctx.Err()
	}
	o, err := b.Env.Step(ctx, action)
	if err == nil && b.refuses && o.Text == "Nothing happens." {
		return o, errors.New("what?")
	}
	b.done = o.Done
	return o, err
}

func (b *broken) Fork(ctx context.Context) (sparkd.Env, error) {
	if b.shared {
		return b, nil
	}
	f, err := b.Env.Fork(ctx)
	c := *b
	c.Env, _ = f.(*alfworld.Env)
	return &c, err
}

func (b *broken) Replay(ctx context.Context, task sparkd.Task, actions []string) ([]sparkd.Observation, error) {
	if b.forgets && len(actions) > 0 {
		actions = actions[1:]
	}
	o, err := b.Reset(ctx, task)
	seen := []sparkd.Observation{o}
	for _, action := range actions {
		if err != nil || o.Done {
			break
		}
		o, err = b.Step(ctx, action)
		seen = append(seen, o)
	}
	return seen, err
}

type defective struct {
	alfworld.Household
	open func() sparkd.Env
}

func (d defective) Open(context.Context) (sparkd.Env, error) { return d.open(), nil }

const which = "SPARKD_DEFECT"

// TestDefect runs the suite over one defective environment, for TestDefectsAreFound.
func TestDefect(t *testing.T) {
	d, ok := defects[os.Getenv(which)]
	if !ok {
		t.Skip("run by TestDefectsAreFound in a process of its own")
	}
	envtest.Run(t, envtest.Options{
		Source: func(*testing.T) envtest.Source { return defective{open: d.env} },
		Tasks:  []sparkd.Task{{Env: alfworld.Name, Split: "train"}},
		Finish: plan,
	})
}

func TestDefectsAreFound(t *testing.T) {
	for name, d := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDefect$")
			c.Env = append(os.Environ(), which+"="+name)
			out, err := c.CombinedOutput()
			if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || !strings.Contains(string(out), d.words) {
				t.Errorf("%v; want a failure with %q:\n%s", err, d.words, out)
			}
		})
	}
}
