package agentgym

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/env/connector"
	"sparkd/env/envtest"
)

// dialects are the options for servers that name things differently.
var dialects = map[string]map[string]string{
	"textcraft": {"success_field": "score", "success": "3"},
	"alfworld": {"index": "game", "reset": `{"world_type": "Text"}`, "admissible": "available_actions",
		"goal_field": "task_type"},
	"webshop": {"id": "env_idx", "index": "session_id", "text": "state,observation", "goal": "Count."},
}

func open(t *testing.T, url string, workers int, options map[string]string) *Source {
	t.Helper()
	s, err := Open(t.Context(), "count", Options{URL: url, Workers: workers, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// begin opens a copy and resets it.
func begin(t *testing.T, s *Source, index int) (sparkd.Env, sparkd.Observation, error) {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	o, err := e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train", Index: index})
	return e, o, err
}

func wantError(t *testing.T, err error, code sparkd.Code, field, word string) {
	t.Helper()
	var e *sparkd.Error
	if !errors.As(err, &e) || e.Code != code || e.Field != field || e.Remedy == "" ||
		!strings.Contains(e.Error(), word) {
		t.Errorf("%v (code %q), want code %q of field %q with a remedy and %q", err,
			sparkd.CodeOf(err), code, field, word)
	}
}

func TestConformance(t *testing.T) {
	for dialect, options := range dialects {
		t.Run(dialect, func(t *testing.T) {
			s := serve(t, dialect)
			envtest.Run(t, envtest.Options{
				Source: func(t *testing.T) envtest.Source { return open(t, s.URL+"/game", 0, options) },
				Tasks: []sparkd.Task{{Env: "count", Split: "train", Index: 3},
					{Env: "count", Split: "train", Index: 1 << 30}},
				Actions: countOn,
				Finish:  func(*testing.T, sparkd.Task) []string { return []string{"look", "quit"} },
			})
			want := 0
			if dialect != "textcraft" {
				want = connector.DefaultPlaces // without a route to close them they wait to be used again
			}
			if n := s.left(); n > want {
				t.Errorf("%d games are left at the server, want at most %d", n, want)
			}
		})
	}
}

// countOn says the next number, or looks.
func countOn(rng *rand.Rand, o sparkd.Observation) string {
	var at int
	if _, err := fmt.Sscanf(o.Text, "At %d.", &at); err != nil || rng.IntN(2) == 0 {
		return "look"
	}
	return fmt.Sprint(at + 1)
}

func TestObservations(t *testing.T) {
	for dialect, want := range map[string]sparkd.Observation{
		"textcraft": {Text: "At 3.", Success: true, Done: true},
		"alfworld":  {Text: "At 3.", Goal: "counting", Admissible: []string{"4", "look", "quit"}, Done: true},
		"webshop":   {Text: "At 3.", Goal: "Count.", Done: true},
	} {
		e, first, err := begin(t, open(t, serve(t, dialect).URL+"/game", 1, dialects[dialect]), 2)
		if err != nil {
			t.Fatal(err)
		}
		if first.Text != "At 2." || first.Goal != want.Goal {
			t.Errorf("%s: reset gives %+v", dialect, first)
		}
		if o, err := e.Step(t.Context(), "3"); err != nil || o.Reward != 1 || o.Done {
			t.Errorf("%s: step gives %+v, %v", dialect, o, err)
		}
		if o, err := e.Step(t.Context(), "quit"); err != nil || o.Hash() != want.Hash() {
			t.Errorf("%s: the end is %+v, %v; want %+v", dialect, o, err, want)
		}
	}
}

// A server that cannot close environments makes no more than are open at once.
func TestUsedAgain(t *testing.T) {
	s := serve(t, "alfworld")
	source := open(t, s.URL+"/game", 0, dialects["alfworld"])
	for range 5 {
		e, _, err := begin(t, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := s.left(); n != 1 {
		t.Errorf("%d games were made for one copy after the other", n)
	}
}

// Errors come with status 200, and the server's words are kept.
func TestErrorBodies(t *testing.T) {
	s := serve(t, "textcraft")
	source := open(t, s.URL+"/game", 0, nil)
	_, _, err := begin(t, source, 13)
	wantError(t, err, sparkd.CodeEnv, "", "list index out of range")
	e, _, err := begin(t, source, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	clear(s.games) // a server that was started again
	s.mu.Unlock()
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", "has finished")
	var refused *ServerError
	if !errors.As(err, &refused) || refused.Status != http.StatusOK {
		t.Errorf("the cause is %+v", refused)
	}
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", "cut")
	if _, err := e.Reset(t.Context(), sparkd.Task{Env: "count", Split: "train"}); err != nil {
		t.Errorf("a reset makes another environment: %v", err)
	}
}

// What a server can answer to a route, and what comes of it.
func TestFaults(t *testing.T) {
	fine := map[string]string{"create": `{"id": 1}`, "reset": `{"observation": "a"}`,
		"step": `{"observation": "b", "reward": 1, "done": false}`, "close": "true"}
	for _, tt := range []struct {
		name, route, answer string
		status              int
		options             map[string]string
		code                sparkd.Code
		field, word         string
	}{
		{name: "a create that fails", route: "create", answer: `{"error": "no java"}`,
			code: sparkd.CodeEnv, word: "no java"},
		{name: "a create without id", route: "create", answer: `{"env": 1}`, code: sparkd.CodeEnv, word: "without id"},
		{name: "a create with a strange id", route: "create", answer: `{"id": [1]}`,
			code: sparkd.CodeEnv, word: "without id"},
		{name: "status 500", route: "reset", answer: "Internal Server Error", status: 500, code: sparkd.CodeEnv,
			word: "Internal Server Error (status 500)"},
		{name: "status 422", route: "reset", answer: `{"detail": "field required"}`, status: 422, code: sparkd.CodeEnv,
			word: "field required"},
		{name: "no JSON", route: "step", answer: "<html>", code: sparkd.CodeEnv, word: "<html>"},
		{name: "a number", route: "step", answer: "7", code: sparkd.CodeEnv, word: "neither"},
		{name: "no reward", route: "step", answer: `{"observation": "b", "done": true}`, code: sparkd.CodeEnv,
			word: "without field reward"},
		{name: "a null reward", route: "step", answer: `{"observation": "b", "reward": null, "done": true}`,
			code: sparkd.CodeEnv, word: "without field reward"},
		{name: "an infinite reward", route: "step", answer: `{"observation": "b", "reward": 1e999, "done": true}`,
			code: sparkd.CodeEnv, word: "finite"},
		{name: "NaN", route: "step", answer: `{"observation": "b", "reward": NaN, "done": true}`,
			code: sparkd.CodeEnv, word: "not JSON"},
		{name: "no done", route: "step", answer: `{"observation": "b", "reward": 1}`,
			code: sparkd.CodeEnv, word: "done"},
		{name: "done in words", route: "step", answer: `{"observation": "b", "reward": 1, "done": "no"}`,
			code: sparkd.CodeEnv, word: "done"},
		{name: "empty", route: "step", answer: "", code: sparkd.CodeEnv, word: "not JSON"},
		{name: "oversized", route: "step", answer: `"` + strings.Repeat("x", 1<<20) + `"`,
			options: map[string]string{"max_message": "1"}, code: sparkd.CodeEnv,
			field: "env.count.options.max_message", word: "too large"},
		{name: "closes", route: "step", answer: "hang up", code: sparkd.CodeEnv, field: "env.count.url", word: "EOF"},
		{name: "silent", route: "step", answer: "silence", options: map[string]string{"timeout": "30ms"},
			code: sparkd.CodeDeadline, field: "env.count.options.timeout", word: "30ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // else the client's leaving is not noticed
				route := r.URL.Path[1:]
				switch {
				case route != tt.route:
					_, _ = io.WriteString(w, fine[route])
				case tt.answer == "hang up":
					panic(http.ErrAbortHandler)
				case tt.answer == "silence":
					<-r.Context().Done()
				default:
					if tt.status != 0 {
						w.WriteHeader(tt.status)
					}
					_, _ = io.WriteString(w, tt.answer)
				}
			}))
			defer server.Close()
			source := open(t, server.URL, 1, tt.options)
			e, _, err := begin(t, source, 1)
			if tt.route == "step" && err == nil {
				_, err = e.Step(t.Context(), "look")
			}
			wantError(t, err, tt.code, tt.field, tt.word)
			if err := e.Close(); err != nil || source.Places.Held() != 0 {
				t.Errorf("close: %v, %d places held", err, source.Places.Held())
			}
		})
	}
}

func TestNoServer(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	_, _, err := begin(t, open(t, gone.URL, 1, nil), 0)
	wantError(t, err, sparkd.CodeEnv, "env.count.url", "no AgentGym server")
}

// A reset that tells nothing is followed by a look.
func TestSilentReset(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.String() {
		case "/create":
			_, _ = io.WriteString(w, `"a b"`)
		case "/observation?id=a+b":
			_, _ = io.WriteString(w, `"a room"`)
		default:
			_, _ = io.WriteString(w, "null")
		}
	}))
	defer server.Close()
	if _, o, err := begin(t, open(t, server.URL, 1, nil), 0); err != nil || o.Text != "a room" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestPlaces(t *testing.T) {
	source := open(t, serve(t, "textcraft").URL+"/game", 1, nil)
	e, _, err := begin(t, source, 0)
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
	if _, _, err := begin(t, source, 0); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	_, err := Open(t.Context(), "x", Options{URL: "ws://localhost"})
	wantError(t, err, sparkd.CodeInvalid, "env.x.url", "http://")
	_, err = Open(t.Context(), "x", Options{URL: "http://localhost", Options: map[string]string{"game": "1"}})
	wantError(t, err, sparkd.CodeInvalid, "env.x.options.game", "index")
}

// A TextCraft server of AgentGym itself, which no package ships: started by hand.
func TestRealTextCraft(t *testing.T) {
	address := os.Getenv("SPARKD_TEST_TEXTCRAFT")
	if address == "" {
		t.Skip("NOT RUN: the test against AgentGym's own TextCraft needs SPARKD_TEST_TEXTCRAFT=http://… of a " +
			"running server (agentenv-textcraft in its repository)")
	}
	recipe := regexp.MustCompile(`craft \d+ [a-z ]+ using [^\n]+`)
	ingredient := regexp.MustCompile(`\d+ [a-z ]+`)
	envtest.Run(t, envtest.Options{
		Source: func(t *testing.T) envtest.Source { return open(t, address, 0, nil) },
		Tasks:  []sparkd.Task{{Env: "count", Split: "train", Index: 1}, {Env: "count", Split: "train", Index: 200}},
		Actions: func(rng *rand.Rand, o sparkd.Observation) string {
			if r := recipe.FindAllString(o.Text, -1); len(r) > 0 {
				_, needs, _ := strings.Cut(r[rng.IntN(len(r))], " using ")
				return "get " + ingredient.FindString(needs)
			}
			return "inventory"
		},
	})
	e, o, err := begin(t, open(t, address, 0, nil), 1)
	if err != nil || !strings.Contains(o.Text, "Goal: craft ") {
		t.Fatalf("%+v, %v", o, err)
	}
	if o, err := e.Step(t.Context(), "craft 1 moon using 1 cheese"); err != nil || o.Done || o.Reward != 0 {
		t.Errorf("a recipe that does not exist: %+v, %v", o, err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"observation": "a", "reward": 1, "done": false}`))
	f.Add([]byte(`["a", null]`))
	f.Add([]byte(`"a"`))
	f.Add([]byte(`{"id": 3}`))
	f.Add([]byte(`{"error": "e"}`))
	source, err := Open(context.Background(), "x",
		Options{URL: "http://localhost", Options: map[string]string{"admissible": "available_actions"}})
	if err != nil {
		f.Fatal(err)
	}
	s := &source.settings
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = s.refusal(http.StatusOK, data)
		if id, err := s.created(data); err == nil && !json.Valid(id) {
			t.Fatalf("%q: the id %q is no JSON", data, id)
		}
		fields, err := s.answered("step", data)
		if err == nil && fields != nil {
			var o sparkd.Observation
			if o, err = s.observe(fields, false); err == nil && o.Reward-o.Reward != 0 {
				t.Fatalf("%q: a reward of %v", data, o.Reward)
			}
		}
		var typed *sparkd.Error
		if err != nil && (!errors.As(err, &typed) || typed.Remedy == "") {
			t.Fatalf("%q: an error without remedy: %v", data, err)
		}
	})
}
