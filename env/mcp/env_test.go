package mcp

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/envtest"
)

// Both ways to a server built with the SDK. Tasks are told apart by the reset tool over
// HTTP, and by an argument of the program on stdio.
func TestConformance(t *testing.T) {
	for name, o := range map[string]Options{
		"http": {URL: overHTTP(t), Options: map[string]string{"reset_tool": "begin",
			"goal_field": "task", "done_tool": "stop"}},
		"stdio": {Command: self(t), Options: map[string]string{"done_tool": "stop", "goal": "Walk."}},
	} {
		t.Run(name, func(t *testing.T) {
			envtest.Run(t, envtest.Options{
				Source: func(t *testing.T) envtest.Source { return open(t, o) },
				Tasks:  []sparkd.Task{task(3), task(1 << 30)},
				Steps:  10,
				Actions: func(rng *rand.Rand, _ sparkd.Observation) string {
					return []string{`move {"direction": "east"}`, ` move{"direction":"west"}`, "look", "look {}",
						`move {"direction": "up"}`, "move"}[rng.IntN(6)]
				},
				Finish: func(*testing.T, sparkd.Task) []string { return []string{"look", "stop"} },
			})
		})
	}
}

func TestObservations(t *testing.T) {
	source := open(t, Options{URL: overHTTP(t), Options: map[string]string{
		"reset_tool": "begin", "reset": `{"level": "hard"}`, "goal_field": "task",
		"tools": "move,look,win,stop", "success": "2"}})
	e, o, err := begin(t, source)
	if err != nil {
		t.Fatal(err)
	}
	want := `Walk.

{"done":false,"place":3,"reward":0,"task":"walk hard"}

An action is the name of a tool and a JSON object of its arguments. Tools:
look
move {"direction": string}: Walk one step.
stop
win`
	if o.Text != want || o.Goal != "walk hard" || o.Admissible != nil || o.Done {
		t.Errorf("the first observation is %+v, want the text\n%s", o, want)
	}
	for _, tt := range []struct {
		action, text string
		reward       float64
		done         bool
	}{
		{`move {"direction": "east"}`, `{"done":false,"place":4,"reward":0.5}`, 0.5, false},
		{`move {"direction": "up"}`, "Error: no way up", 0, false},
		{`move {"way": "up"}`, "Error: ", 0, false},
		{`move {"direction": 7}`, "Error: ", 0, false},
		{`move direction east`, "The arguments are not one JSON object. Write: move {\"direction\": string}", 0, false},
		{`move {"direction": "east"} now`, "The arguments are not", 0, false},
		{`move ["east"]`, "The arguments are not", 0, false},
		{`fly`, `There is no tool "fly". Tools: look, move, stop, win`, 0, false},
		{``, `There is no tool "".`, 0, false},
		{`begin {"seed": 9}`, `There is no tool "begin".`, 0, false},
		{`shout`, `There is no tool "shout".`, 0, false},
		{`look`, "Place 4.", 0, false},
		{`win`, `{"reward": 2, "done": true}`, 2, true},
	} {
		o, err := e.Step(t.Context(), tt.action)
		if err != nil || !strings.HasPrefix(o.Text, tt.text) || o.Reward != tt.reward ||
			o.Done != tt.done || o.Success != tt.done {
			t.Errorf("%s: %+v, %v; want %+v", tt.action, o, err, tt)
		}
	}
	if e, _, err = begin(t, open(t, Options{URL: source.settings.url.String(),
		Options: map[string]string{"text": "place,done"}})); sparkd.CodeOf(err) != sparkd.CodeInvalid {
		t.Errorf("task 3 of a server that has one task: %v", err)
	}
	if _, err := e.Reset(t.Context(), task(0)); err != nil {
		t.Fatal(err)
	}
	if o, err := e.Step(t.Context(), `move {"direction": "east"}`); err != nil || o.Text != "1\nfalse" {
		t.Errorf("text from fields: %+v, %v", o, err)
	}
	if o, err := e.Step(t.Context(), "look"); err != nil || o.Text != "Place 1." {
		t.Errorf("a tool without these fields: %+v, %v", o, err)
	}
}

// A server over HTTP that gives no session IDs has one state for all copies.
func TestServersWithoutSessions(t *testing.T) {
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return corridor(0) },
		&mcp.StreamableHTTPOptions{Stateless: true})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	source := open(t, Options{URL: server.URL, Options: map[string]string{"reset_tool": "begin"}})
	_, _, err := begin(t, source)
	wantError(t, err, sparkd.CodeInvalid, "env.walk.url", "no session ID")
	source = open(t, Options{URL: server.URL, Options: map[string]string{"sessions": "shared"}})
	e, err := source.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Reset(t.Context(), task(0)); err != nil {
		t.Fatal(err)
	}
	if o, err := e.Step(t.Context(), "look"); err != nil || o.Text != "Place 0." {
		t.Errorf("%+v, %v", o, err)
	}
}

// A path is repeated only where its tools leave the world outside alone.
func TestReplay(t *testing.T) {
	url := overHTTP(t)
	harmless := []string{"look", `move {"direction": "east"}`, "nonsense", "shout [", "look"}
	shouted := append(slices.Clone(harmless), "shout")
	for _, tt := range []struct {
		replay  string
		actions []string
		refused bool
	}{
		{"annotations", nil, false},
		{"annotations", harmless, false},
		{"annotations", shouted, true},
		{"allow", shouted, false},
	} {
		source := open(t, Options{URL: url, Options: map[string]string{"reset_tool": "begin", "replay": tt.replay}})
		e, first, err := begin(t, source)
		if err != nil {
			t.Fatal(err)
		}
		want := []sparkd.Observation{first}
		for _, a := range tt.actions {
			o, err := e.Step(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, o)
		}
		twin, err := source.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = twin.Close() })
		seen, err := twin.(sparkd.Replayer).Replay(t.Context(), task(3), tt.actions)
		if tt.refused {
			wantError(t, err, sparkd.CodeEnv, "env.walk.options.replay", "shout may have effects")
			continue
		}
		if err != nil || !slices.EqualFunc(seen, want,
			func(a, b sparkd.Observation) bool { return a.Hash() == b.Hash() }) {
			t.Errorf("%s %q: %+v, %v; want %+v", tt.replay, tt.actions, seen, err, want)
		}
	}
}

func TestContent(t *testing.T) {
	r := &mcp.CallToolResult{Content: []mcp.Content{
		&mcp.TextContent{Text: "a"}, &mcp.ImageContent{MIMEType: "image/png", Data: make([]byte, 3)},
		&mcp.AudioContent{MIMEType: "audio/wav"},
		&mcp.ResourceLink{Name: "n", URI: "file:///n"}, &mcp.EmbeddedResource{},
		&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{Text: "t"}},
		&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "u", MIMEType: "m", Blob: make([]byte, 2)}}}}
	if got, want := textOf(r), "a\n[image/png, 3 bytes]\n[audio/wav, 0 bytes]\n[n: file:///n]\n[nothing]\nt\n[u, "+
		"m, 2 bytes]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := textOf(&mcp.CallToolResult{StructuredContent: map[string]any{"b": 1.5,
		"a": nil}}); got != `{"a":null,"b":1.5}` {
		t.Errorf("structured content alone: %s", got)
	}
}

func TestPlaces(t *testing.T) {
	source := open(t, Options{URL: overHTTP(t), Workers: 1, Options: map[string]string{"reset_tool": "begin"}})
	e, _, err := begin(t, source)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = source.Open(ctx)
	wantError(t, err, sparkd.CodeUnavailable, "env.walk.workers", "1 sessions")
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err = e.Step(t.Context(), "look")
	wantError(t, err, sparkd.CodeEnv, "", "closed")
	_, err = e.Replay(t.Context(), task(0), nil)
	wantError(t, err, sparkd.CodeEnv, "", "closed")
	if _, _, err := begin(t, source); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	web := overHTTP(t)
	for _, tt := range []struct {
		o           Options
		code        sparkd.Code
		field, word string
	}{
		{Options{}, sparkd.CodeInvalid, "env.walk.command", "one of command and url"},
		{Options{URL: web, Command: self(t)}, sparkd.CodeInvalid, "env.walk.command", "one of"},
		{Options{URL: "walk"}, sparkd.CodeInvalid, "env.walk.url", "http://"},
		{Options{URL: web, Options: map[string]string{"splits": "train"}}, sparkd.CodeInvalid,
			"env.walk.options.splits", "reset_tool"},
		{Options{URL: web, Options: map[string]string{"replay": "never"}}, sparkd.CodeInvalid,
			"env.walk.options.replay", "annotations, allow"},
		{Options{Command: self(t), Options: map[string]string{"done_tool": "leave"}}, sparkd.CodeInvalid,
			"env.walk.options.done_tool", "begin, crash"},
		{Options{Command: self(t), Options: map[string]string{"tools": "look,leave"}}, sparkd.CodeInvalid,
			"env.walk.options.tools", `"leave"`},
		{Options{Command: []string{"no-such-program"}}, sparkd.CodeEnv, "env.walk.command", "no-such-program"},
		{Options{Command: []string{"false"}}, sparkd.CodeEnv, "env.walk.command", "no session"},
		{Options{Command: []string{"echo", "hello"}}, sparkd.CodeEnv, "env.walk.command", "no session"},
		{Options{Command: []string{"echo", "Listening on stdio"}}, sparkd.CodeEnv, "env.walk.command",
			`it wrote to stdout what is no message of MCP: "Listening on stdio" (let it write messages of MCP alone`},
		{Options{Command: []string{"echo", `{"level":"info","msg":"ready"}`}}, sparkd.CodeEnv, "env.walk.command",
			`no message of MCP: "{\"level\":\"info\"`},
		{Options{Command: []string{"sh", "-c", "echo; exit 3"}}, sparkd.CodeEnv, "env.walk.command", "EOF"},
		{Options{Command: []string{"sh", "-c", "echo no database >&2; sleep 1000 & exec sleep 1000"},
			Options: map[string]string{"connect_timeout": "300ms"}}, sparkd.CodeDeadline,
			"env.walk.options.connect_timeout", "last words: no database"},
	} {
		_, err := Open(t.Context(), "walk", tt.o)
		wantError(t, err, tt.code, tt.field, tt.word)
	}
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

// What goes wrong within an episode.
func TestFaults(t *testing.T) {
	var mu sync.Mutex
	var logged []string
	log := func(line string) {
		mu.Lock()
		defer mu.Unlock()
		logged = append(logged, line)
	}
	for _, tt := range []struct {
		action      string
		code        sparkd.Code
		field, word string
		timeout     string
	}{
		{"crash", sparkd.CodeEnv, "", "last words: the ceiling fell", ""},
		{"babble", sparkd.CodeEnv, "", `to stdout what is no message of MCP: "The corridor is long."`, ""},
		{"overflow", sparkd.CodeEnv, "env.walk.options.reward", "1e999 is not finite", ""},
		{"lose", sparkd.CodeEnv, "env.walk.options.reward", "null is no number", ""},
		{"quote", sparkd.CodeEnv, "env.walk.options.reward", `"1" is no number`, ""},
		{"mumble", sparkd.CodeEnv, "env.walk.options.done", "False is neither true nor false", ""},
		{"hang", sparkd.CodeDeadline, "env.walk.options.timeout", "200ms", "200ms"},
	} {
		source := open(t, Options{Command: self(t), Log: log, Options: map[string]string{"timeout": tt.timeout}})
		e, _, err := begin(t, source)
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.Step(t.Context(), tt.action)
		wantError(t, err, tt.code, tt.field, tt.word)
		_, err = e.Step(t.Context(), "look")
		wantError(t, err, sparkd.CodeEnv, "", "cut")
		if _, err := e.Reset(t.Context(), task(5)); err != nil {
			t.Errorf("a reset after %s: %v", tt.action, err)
		}
		if err := e.Close(); err != nil || source.Places.Held() != 0 {
			t.Errorf("close: %v, %d places held", err, source.Places.Held())
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Contains(logged, "serving corridor 5") || !slices.Contains(logged, "the ceiling fell") {
		t.Errorf("the log is %q", logged)
	}
}

func TestResetToolRefuses(t *testing.T) {
	_, _, err := begin(t, open(t, Options{URL: overHTTP(t),
		Options: map[string]string{"reset_tool": "begin", "reset": `{"level": "none"}`}}))
	wantError(t, err, sparkd.CodeEnv, "env.walk.options.reset_tool", "no such level")
	_, _, err = begin(t, open(t, Options{URL: overHTTP(t), Options: map[string]string{"reset_tool": "start"}}))
	wantError(t, err, sparkd.CodeInvalid, "env.walk.options.reset_tool", "begin")
}
