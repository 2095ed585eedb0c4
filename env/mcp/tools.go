package mcp

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// usage writes a call of a tool: its name and its arguments with their types. Where the text of an action could not
// begin with the name, it is the object of the protocol.
func (k *session) usage(name string) string {
	takes := arguments(k.tools[name].InputSchema)
	if strings.TrimSpace(name) == name && !strings.ContainsFunc(name, unicode.IsControl) {
		return strings.TrimSpace(name + " " + takes)
	}
	quoted, _ := json.Marshal(name)
	return fmt.Sprintf(`{"name": %s, "arguments": %s}`, quoted, cmp.Or(takes, "{}"))
}

// form is the usage of the tool that a text seems to mean, or else of the first one.
func (k *session) form(text string) string {
	best := ""
	for _, name := range k.names() {
		if best == "" || strings.Contains(text, name) && (len(name) > len(best) || !strings.Contains(text, best)) {
			best = name
		}
	}
	if best == "" {
		return ""
	}
	return " A call is a name and a JSON object of arguments: " + k.usage(best)
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

// call is what an action says.
type call struct {
	tool       string
	arguments  map[string]any
	unreadable error // why there are no arguments
}

// parseAction reads a call: the name of a tool, and then nothing or one JSON object of its arguments; or what the
// protocol itself has, {"name": …, "arguments": {…}}. Of names, which may hold anything, the longest counts that the
// text begins with; where there is none, the tool is what stands where its name would.
func parseAction(text string, names []string) (c call) {
	text = strings.TrimSpace(text)
	for _, name := range names {
		if len(name) > len(c.tool) && strings.HasPrefix(text, name) && ends(text[len(name):]) {
			c.tool = name
		}
	}
	if c.tool == "" {
		if c, ok := parseObject(text); ok {
			return c
		}
		if c.tool = text; strings.IndexAny(text, "{ \t\r\n") > 0 {
			c.tool = text[:strings.IndexAny(text, "{ \t\r\n")]
		}
	}
	c.arguments = map[string]any{}
	if rest := strings.TrimSpace(text[len(c.tool):]); rest != "" {
		c.arguments, c.unreadable = connector.Object([]byte(rest))
	}
	return c
}

// parseObject reads the call of the protocol.
func parseObject(text string) (c call, ok bool) {
	members, err := connector.Object([]byte(text))
	if err != nil {
		return c, false
	}
	c.tool, ok = members["name"].(string)
	given, has := members["arguments"]
	if !has {
		c.arguments = map[string]any{}
		return c, ok && len(members) == 1
	}
	arguments, is := given.(map[string]any)
	c.arguments = arguments
	return c, ok && is && len(members) == 2
}

// ends reports whether a name may end before this rest of a text.
func ends(rest string) bool {
	r, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || !inName(r) || r == '{'
}

// inName reports whether a name goes on with a character, which is so for all that commonly are in one.
func inName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./", r)
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
