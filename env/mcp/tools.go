package mcp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd/env/connector"
)

// names lists the tools that the agent may call.
func (k *session) names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(k.tools)) {
		if k.callable(name) {
			names = append(names, name)
		}
	}
	return names
}

// usage writes a call of a tool: its name and its arguments with their types.
func (k *session) usage(name string) string {
	return strings.TrimSpace(name + " " + arguments(k.tools[name].InputSchema))
}

// describe lists the tools as the agent reads them.
func (k *session) describe() string {
	var b strings.Builder
	b.WriteString("An action is the name of a tool and a JSON object of its arguments. Tools:")
	for _, name := range k.names() {
		b.WriteString("\n" + k.usage(name))
		if about := strings.Join(strings.Fields(k.tools[name].Description), " "); about != "" {
			b.WriteString(": " + connector.Excerpt(about))
		}
	}
	return b.String()
}

// arguments writes a JSON schema of arguments as {"name": type, "optional"?: type}, in
// the order of the names; it is empty where there are none.
func arguments(schema any) string {
	fields, _ := schema.(map[string]any)
	properties, _ := fields["properties"].(map[string]any)
	required, _ := fields["required"].([]any)
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		mark := "?"
		if slices.Contains(required, any(name)) {
			mark = ""
		}
		parts = append(parts, fmt.Sprintf("%q%s: %s", name, mark, kind(properties[name])))
	}
	if parts == nil {
		return ""
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// kind words the schema of one argument: its values, if it lists them, or its type.
func kind(schema any) string {
	fields, _ := schema.(map[string]any)
	if values, ok := fields["enum"].([]any); ok && len(values) > 0 {
		var words []string
		for _, v := range values {
			words = append(words, fmt.Sprintf("%q", connector.Text(v)))
		}
		return strings.Join(words, "|")
	}
	if t, ok := fields["type"].(string); ok {
		return t
	}
	return "any"
}

// parseAction splits the agent's text: a name up to the first space or brace, and then nothing or one JSON object.
func parseAction(text string) (tool string, arguments map[string]any, err error) {
	text = strings.TrimSpace(text)
	end := strings.IndexAny(text, "{ \t\r\n")
	if end < 0 {
		return text, map[string]any{}, nil
	}
	tool, rest := text[:end], strings.TrimSpace(text[end:])
	if rest == "" {
		return tool, map[string]any{}, nil
	}
	arguments, err = connector.Object([]byte(rest))
	return tool, arguments, err
}

// effects says whether a call may change something outside the session. Hints that a
// tool does not give are what the specification says of their absence (ToolAnnotations,
// version 2025-11-25): it writes, destructively, into an open world.
func effects(t *mcp.Tool) bool {
	a := t.Annotations
	switch {
	case a == nil:
		return true
	case a.ReadOnlyHint:
		return false
	}
	harmless := a.DestructiveHint != nil && !*a.DestructiveHint
	closed := a.OpenWorldHint != nil && !*a.OpenWorldHint
	return !harmless || !closed
}
