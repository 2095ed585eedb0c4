package openenv

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/envtest"
)

// State returns the server's own account of the session, such as its step_count.
func (e *Env) State(ctx context.Context) (map[string]any, error) {
	if err := e.connect(ctx); err != nil {
		return nil, err
	}
	answer, err := e.socket.ask(ctx, message{Type: "state"})
	return answer.state, err
}

func TestConformance(t *testing.T) {
	s := serve(t, count)
	envtest.Run(t, envtest.Options{
		Source: func(t *testing.T) envtest.Source {
			return open(t, s.URL, 0, map[string]string{"admissible": "moves", "goal_field": "goal"})
		},
		Tasks: []sparkd.Task{{Env: "count", Split: "train", Index: 3}, {Env: "count", Split: "train", Index: 1 << 30}},
		Actions: func(rng *rand.Rand, o sparkd.Observation) string {
			return o.Admissible[rng.IntN(2)]
		},
		Finish: func(*testing.T, sparkd.Task) []string { return []string{"look", "quit"} },
	})
	if n := s.sessions.Load(); n != 0 {
		t.Errorf("%d sessions are left at the server", n)
	}
}

func TestObservations(t *testing.T) {
	s := serve(t, count)
	e, err := open(t, s.URL+"/", 1, map[string]string{"goal": "Count to ten.", "splits": "train=40-",
		"success": "0"}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	o, err := e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train", Index: 2})
	if err != nil || o.Text != "At 42." || o.Goal != "Count to ten." || o.Admissible != nil || o.Reward != 0 || o.Done {
		t.Errorf("reset: %+v, %v", o, err)
	}
	if o, err = e.Step(t.Context(), "43"); err != nil || o.Text != "At 43." || o.Reward != 0.5 || o.Done {
		t.Errorf("step: %+v, %v", o, err)
	}
	if state, err := e.(*Env).State(t.Context()); err != nil || len(state) != 1 {
		t.Errorf("state: %v, %v", state, err)
	}
	if o, err = e.Step(t.Context(), "quit"); err != nil || !o.Done || !o.Success {
		t.Errorf("the end, where a reward of 0 is a success: %+v, %v", o, err)
	}
}

func TestActionJSON(t *testing.T) {
	s := serve(t, count)
	e, err := begin(t, open(t, s.URL, 1, map[string]string{"action_json": "true", "step": `{"metadata": {}}`}))
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]string{
		`{"message": "look"}`: "At 3.",
		`{"text": "look"}`:    "refused: message: Field required",
		`look`:                "one JSON object",
		`["look"]`:            "one JSON object",
		`{"message": "a"} b`:  "one JSON object",
		``:                    "one JSON object",
	} {
		if o, err := e.Step(t.Context(), action); err != nil || !strings.Contains(o.Text, want) ||
			o.Reward != 0 || o.Done {
			t.Errorf("%s: %+v, %v; want %q", action, o, err, want)
		}
	}
}

func TestExceptions(t *testing.T) {
	s := serve(t, count)
	e, err := begin(t, open(t, s.URL, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Step(t.Context(), "raise")
	wantError(t, err, sparkd.CodeEnv, "", "division by zero")
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", "cut")
	if _, err := e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train"}); err != nil {
		t.Errorf("a reset after an exception: %v", err)
	}
	if e, err = begin(t, open(t, s.URL, 1, map[string]string{"execution_error": "observe"})); err != nil {
		t.Fatal(err)
	}
	if o, err := e.Step(t.Context(), "raise"); err != nil || !strings.Contains(o.Text, "division by zero") {
		t.Errorf("an exception that the agent reads: %+v, %v", o, err)
	}
	if _, err := e.Step(t.Context(), "look"); err != nil {
		t.Errorf("a step after it: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	_, err := Open(t.Context(), "x", Options{URL: "localhost:8000"})
	wantError(t, err, sparkd.CodeInvalid, "env.x.url", "http://")
	_, err = Open(t.Context(), "x", Options{URL: "http://localhost:8000",
		Options: map[string]string{"acton": "message"}})
	wantError(t, err, sparkd.CodeInvalid, "env.x.options.acton", "action_json")
}

func TestAddress(t *testing.T) {
	for given, want := range map[string]string{
		"http://h:1": "http://h:1/ws", "http://h:1/": "http://h:1/ws", "ws://h:1/ws": "ws://h:1/ws",
		"https://h/space/": "https://h/space/ws",
	} {
		s := open(t, given, 0, nil)
		if got := s.settings.url.String(); got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
	}
	if about := open(t, "http://u:secret@h", 0, nil).Info().About; strings.Contains(about, "secret") {
		t.Errorf("the password is told: %s", about)
	}
}

// A session is one place, whatever happens to it.
func TestPlaces(t *testing.T) {
	s := serve(t, count)
	source := open(t, s.URL, 1, nil)
	e, err := begin(t, source)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = source.Open(ctx)
	wantError(t, err, sparkd.CodeUnavailable, "env.count.workers", "1 sessions")
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", "closed")
	_, err = e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train"})
	wantError(t, err, sparkd.CodeEnv, "", "closed")
	if _, err := begin(t, source); err != nil || source.Places.Held() != 1 {
		t.Errorf("after Close: %v, %d places held", err, source.Places.Held())
	}
}
