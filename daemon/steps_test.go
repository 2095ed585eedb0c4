package daemon_test

import (
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
	"sparkd/daemon"
)

// A request gets no more steps than an episode of its environment has; what was stored by a version that did not ask
// the environment is not refused when it is repeated.
func TestStepsOfTheEnvironment(t *testing.T) {
	program := strings.Replace(guess, "splits =", "max_steps = 3\n    splits =", 1)
	r := withGuess(t, program, "", nil)
	for asked, want := range map[int]int{2: 2, 3: 3, 30: 3, sparkd.MaxDepth: 3} {
		s := spec(1)
		s.Tasks.Env, s.MaxSteps, s.ID = "guess", asked, "steps-"+string(rune('a'+asked%26))
		got, created, err := r.Client.Submit(t.Context(), s)
		if err != nil || !created || got.Spec.MaxSteps != want {
			t.Fatalf("%d steps: %+v, %v", asked, got.Spec, err)
		}
		again, created, err := r.Client.Submit(t.Context(), s)
		if err != nil || created || again.Spec.MaxSteps != want {
			t.Errorf("%d steps once more: %+v, created %v, %v", asked, again.Spec, created, err)
		}
		tree, err := r.Client.Tree(t.Context(), r.wait(got.ID).Trees[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Depth > want {
				t.Errorf("%d steps: a node of depth %d", asked, n.Depth)
			}
		}
	}
	s := spec(1)
	s.Tasks.Env, s.MaxSteps = "guess", sparkd.MaxDepth+1
	if _, _, err := r.Client.Submit(t.Context(), s); sparkd.AsError(err).Field != "max_steps" {
		t.Errorf("more steps than any tree has: %v", err)
	}
}

// A client says how many steps an episode of its environment has.
func TestStepsOfAClient(t *testing.T) {
	r := start(t, config(t, filepath.Join(t.TempDir(), "data")), daemon.Parts{})
	for asked, want := range map[int]int{0: 8, 5: 5, 30: 8} {
		s := sessionSpec(sparkd.ForkReplay)
		s.Rollout.ID, s.MaxSteps = "client-"+string(rune('a'+asked%26)), asked
		got, _, err := r.Client.OpenSession(t.Context(), s)
		if err != nil || got.Spec.MaxSteps != want {
			t.Errorf("%d steps: %+v, %v", asked, got.Spec, err)
		}
	}
	s := sessionSpec(sparkd.ForkReplay)
	s.MaxSteps = -1
	if _, _, err := r.Client.OpenSession(t.Context(), s); sparkd.AsError(err).Field != "max_steps" {
		t.Errorf("-1 steps: %v", err)
	}
}

// Prompts show the examples of their own environment, and none where it has none.
func TestExamplesOfTheEnvironment(t *testing.T) {
	own := strings.Replace(guess, "splits =", `examples = [{"text": "Guess 1 to 2.", "admissible": ["1", "2"],
        "surprised": True, "reason": "It is small.", "action": "1"}]
    splits =`, 1)
	for name, c := range map[string]struct{ program, env, want string }{
		"own":       {own, "guess", "<explore>It is small.</explore>\n<action>1</action>"},
		"none":      {guess, "guess", ""},
		"household": {guess, "household", "<action>take book 2 from shelf 1</action>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := withGuess(t, c.program, "", nil)
			s := spec(1)
			s.Tasks.Env, s.MaxSteps = c.env, 1
			tree, err := r.Client.Tree(t.Context(), r.wait(r.submit(s).ID).Trees[0])
			if err != nil {
				t.Fatal(err)
			}
			prompt := tree.Nodes[0].Spans[0].Text
			shown := strings.Contains(prompt, "1</action>")
			if shown != (c.want != "") || !strings.Contains(prompt, c.want) {
				t.Errorf("want %q in\n%s", c.want, prompt)
			}
		})
	}
}
