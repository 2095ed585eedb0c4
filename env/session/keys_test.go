package session

import (
	"encoding/json"
	"strings"
	"testing"

	"sparkd"
)

// The keys of a call are there whatever their values: a client that looks one up finds it.
func TestKeysOfCalls(t *testing.T) {
	empty := ""
	for want, c := range map[string]sparkd.EnvCall{
		`{"id":1,"copy":2,"op":"step","action":""}`: {ID: 1, Copy: 2, Op: "step", Action: &empty},
		`{"id":1,"copy":2,"op":"replay","task":{"env":"client","split":"train","index":0},"actions":[]}`: {
			ID: 1, Copy: 2, Op: "replay", Task: new(task(0)), Actions: []string{}},
		`{"id":1,"copy":2,"op":"close"}`: {ID: 1, Copy: 2, Op: "close"},
	} {
		if got, err := json.Marshal(c); err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	s := session(sparkd.ForkReplay)
	defer s.End()
	e, _ := s.Open(t.Context())
	for want, call := range map[string]func() error{
		`"action":""`: func() error { _, err := e.Step(t.Context(), ""); return err },
		`"actions":[]`: func() error {
			_, err := e.(sparkd.Replayer).Replay(t.Context(), task(0), nil)
			return err
		},
	} {
		begin(t, s, e)
		done := make(chan error, 1)
		go func() { done <- call() }()
		calls, _ := s.Fetch(t.Context(), 0)
		text, err := json.Marshal(calls[0])
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
		s.Answer([]sparkd.EnvAnswer{{ID: calls[0].ID, Error: "enough"}})
		if err := <-done; err == nil {
			t.Error("no error")
		}
	}
}

// begin answers the reset of a copy.
func begin(t *testing.T, s *Session, e sparkd.Env) {
	t.Helper()
	done := make(chan error, 1)
	go func() { _, err := e.Reset(t.Context(), task(0)); done <- err }()
	calls, _ := s.Fetch(t.Context(), 0)
	s.Answer([]sparkd.EnvAnswer{{ID: calls[0].ID, Observation: &sparkd.Observation{Text: "at 0"}}})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
