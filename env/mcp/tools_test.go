package mcp

import (
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/connector"
)

// Whatever a call looks like, it is made, or answered by the form of one.
func TestCalls(t *testing.T) {
	names := []string{"look", "look around", "cast", "fs:read", "a{b", "über", "mv(x)"}
	for text, want := range map[string]string{
		`look`:                    "look {}",
		` look {} `:               "look {}",
		`look around`:             "look around {}",
		`look around{"far":true}`: `look around {"far":true}`,
		`look {"around":1}`:       `look {"around":1}`,
		`fs:read {"a":1}`:         `fs:read {"a":1}`,
		`a{b {"c":2}`:             `a{b {"c":2}`,
		`mv(x){}`:                 "mv(x) {}",
		"über\n{}":                "über {}",
		`{"name":"look"}`:         "look {}",
		`{"name":"look around","arguments":{"far":1}}`: `look around {"far":1}`,
		`{"arguments":{},"name":"fly"}`:                "fly {}",
		`look(far=1)`:                                  "look ?",
		`look: {"far":1}`:                              "look ?",
		`look {"far":1} now`:                           "look ?",
		`look ["far"]`:                                 "look ?",
		`looking {"far":1}`:                            `looking {"far":1}`,
		`fly {"far":1}`:                                `fly {"far":1}`,
		`{"name":"look","parameters":{}}`:              `{"name":"look","parameters":{}} {}`,
		`{"name":"look","arguments":"{}"}`:             `{"name":"look","arguments":"{}"} {}`,
		`{"tool":"look"}`:                              `{"tool":"look"} {}`,
		`<tool_call>{"name":"look"}</tool_call>`:       `<tool_call> ?`,
		``:                                             " {}",
	} {
		c := parseAction(text, names)
		got := c.tool + " " + connector.Text(c.arguments)
		if c.unreadable != nil {
			got = c.tool + " ?"
		}
		if got != want {
			t.Errorf("%s is read as %s, want %s", text, got, want)
		}
	}
}

// A server may change its tools: what they are is said to the agent, and counts in a replay.
func TestToolsThatChange(t *testing.T) {
	for name, o := range map[string]Options{"http": {URL: overHTTP(t)}, "stdio": {Command: self(t)}} {
		t.Run(name, func(t *testing.T) {
			source := open(t, o)
			e, _ := source.Open(t.Context())
			t.Cleanup(func() { _ = e.Close() })
			o, err := e.Reset(t.Context(), task(0))
			if err != nil || !strings.Contains(o.Text, "\nshout") || strings.Contains(o.Text, "cast a spell") {
				t.Fatalf("%q, %v", o.Text, err)
			}
			var path []string
			want := []sparkd.Observation{o}
			for _, step := range []struct{ action, words string }{
				{"cast a spell", `There is no tool "cast". Tools: `},
				{"learn", "You know how.\n\nThe tools have changed. An action is"},
				{"cast a spell {}", "A light."},
				{`{"name": "cast a spell"}`, "A light."},
				{"shout", `There is no tool "shout". Tools: babble, begin, cast a spell, crash`},
				{"look", "Place 0."},
			} {
				o, err := e.Step(t.Context(), step.action)
				if err != nil || !strings.HasPrefix(o.Text, step.words) {
					t.Errorf("%s: %q, %v; want %q", step.action, o.Text, err, step.words)
				}
				path, want = append(path, step.action), append(want, o)
			}
			if !strings.Contains(want[2].Text, "\ncast a spell\n") || strings.Contains(want[2].Text, "shout") {
				t.Errorf("the tools are then %q", want[2].Text)
			}
			twin, _ := source.Open(t.Context())
			t.Cleanup(func() { _ = twin.Close() })
			seen, err := twin.(sparkd.Replayer).Replay(t.Context(), task(0), path)
			same := func(a, b sparkd.Observation) bool { return a.Hash() == b.Hash() }
			if err != nil || !slices.EqualFunc(seen, want, same) {
				t.Errorf("a replay saw %+v, %v; want %+v", seen, err, want)
			}
		})
	}
}

// Text that is no call is answered by the form of one, with a tool that it may have meant.
func TestForms(t *testing.T) {
	e, _, err := begin(t, open(t, Options{URL: overHTTP(t), Options: map[string]string{"reset_tool": "begin",
		"tools": "look,move"}}))
	if err != nil {
		t.Fatal(err)
	}
	for action, words := range map[string]string{
		`{"name": "move", "arguments": {"direction": "east"}}`: `{"done":false,"place":4,"reward":0.5}`,
		`{"tool": "move", "args": {"direction": "east"}}`:      `object of arguments: move {"direction": string}`,
		`[{"name": "move"}]`:            `object of arguments: move {"direction": string}`,
		`Action: move {"direction": 1}`: `object of arguments: move {"direction": string}`,
		`{"function": "look"}`:          "object of arguments: look",
		`I go east.`:                    "object of arguments: look",
		`move(direction="east")`:        `Write: move {"direction": string}`,
	} {
		o, err := e.Step(t.Context(), action)
		if err != nil || !strings.HasSuffix(o.Text, words) {
			t.Errorf("%s: %q, %v; want %q", action, o.Text, err, words)
		}
	}
}

// Names that could not begin an action are called by the object of the protocol.
func TestUsage(t *testing.T) {
	for name, want := range map[string]string{"look": "look", "my tool": "my tool",
		" x": `{"name": " x", "arguments": {}}`, "a\nb": `{"name": "a\nb", "arguments": {}}`} {
		k := &session{source: &Source{}, tools: map[string]*mcp.Tool{name: {Name: name}}}
		usage := k.usage(name)
		if c := parseAction(usage, k.names()); usage != want || c.tool != name || c.unreadable != nil {
			t.Errorf("%q is called by %s, which is %+v; want %s", name, usage, c, want)
		}
	}
}

func TestEffects(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		annotations *mcp.ToolAnnotations
		want        bool
	}{
		{nil, true},
		{&mcp.ToolAnnotations{}, true},
		{&mcp.ToolAnnotations{ReadOnlyHint: true}, false},
		{&mcp.ToolAnnotations{ReadOnlyHint: true, DestructiveHint: &yes, OpenWorldHint: &yes}, false},
		{&mcp.ToolAnnotations{DestructiveHint: &no}, true},
		{&mcp.ToolAnnotations{OpenWorldHint: &no}, true},
		{&mcp.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no}, false},
		{&mcp.ToolAnnotations{DestructiveHint: &yes, OpenWorldHint: &no, IdempotentHint: true}, true},
	} {
		if got := effects(&mcp.Tool{Annotations: tt.annotations}); got != tt.want {
			t.Errorf("%+v: effects = %v", tt.annotations, got)
		}
	}
}

func TestArguments(t *testing.T) {
	schema := map[string]any{
		"properties": map[string]any{"b": map[string]any{"type": "integer"},
			"a": map[string]any{"enum": []any{"x", "y"}}, "c": true,
			"d": map[string]any{"type": []any{"null", "string"}}},
		"required": []any{"b"},
	}
	if got, want := arguments(schema), `{"a"?: "x"|"y", "b": integer, "c"?: any, "d"?: any}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, schema := range []any{nil, true, map[string]any{}, map[string]any{"properties": 7, "required": 7}} {
		if got := arguments(schema); got != "" {
			t.Errorf("%v: %s", schema, got)
		}
	}
}

func FuzzAction(f *testing.F) {
	for _, text := range []string{`move {"direction": "east"}`, "look", `a{"b":{}} {}`, "  \t{}", "look around{}",
		`{"name": "look", "arguments": {"a": 1}}`, `{"name": 3}`} {
		f.Add(text, "look around")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		c := parseAction(text, []string{"look", name})
		known := c.tool == "look" || c.tool == name
		if !known && strings.ContainsAny(c.tool, "{ \t\r\n") && !strings.HasPrefix(strings.TrimSpace(text), "{") {
			t.Fatalf("%q: the tool %q", text, c.tool)
		}
		if c.unreadable == nil && c.arguments == nil {
			t.Fatalf("%q: neither arguments nor an error", text)
		}
	})
}
