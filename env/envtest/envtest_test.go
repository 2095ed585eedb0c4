package envtest_test

import (
	"context"
	"testing"

	"sparkd"
	"sparkd/env/alfworld"
	"sparkd/env/envtest"
)

// household opens generated houses, as what they are or with parts hidden.
type household struct {
	alfworld.Household
	fork string
}

func (h household) Info() sparkd.EnvInfo {
	info := h.Household.Info()
	info.Fork = h.fork
	return info
}

func (h household) Open(context.Context) (sparkd.Env, error) {
	if h.fork == sparkd.ForkReplay {
		return struct{ sparkd.Env }{alfworld.New()}, nil
	}
	return alfworld.New(), nil
}

func TestHousehold(t *testing.T) {
	for _, fork := range []string{sparkd.ForkNative, sparkd.ForkReplay} {
		t.Run(fork, func(t *testing.T) {
			envtest.Run(t, envtest.Options{
				Source: func(*testing.T) envtest.Source { return household{fork: fork} },
				Tasks: []sparkd.Task{{Env: alfworld.Name, Split: "train", Index: 3},
					{Env: alfworld.Name, Split: "l2", Index: 1999}},
				Steps:  40,
				Finish: plan,
			})
		})
	}
}

func plan(t *testing.T, task sparkd.Task) []string {
	e := alfworld.New()
	if _, err := e.Reset(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	commands, err := alfworld.Expert(e)
	if err != nil {
		t.Fatal(err)
	}
	return commands
}
