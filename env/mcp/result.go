package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
	"sparkd/env/connector"
)

// observe reads the result of a tool. A tool's own error is text for the agent.
func (s *settings) observe(tool string, r *mcp.CallToolResult) (o sparkd.Observation,
	fields map[string]any, err error) {
	fields = structure(r)
	if r.IsError {
		return sparkd.Observation{Text: "Error: " + textOf(r)}, fields, nil
	}
	value, given := fields[s.reward]
	reward, err := connector.Number(value)
	if given && value == nil { // as NaN is written
		err = errors.New("null is no number")
	}
	if err != nil {
		return o, fields, s.garbage(tool, "reward",
			"name a field that holds a number, or leave it out where there is none", err)
	}
	value, given = fields[s.done]
	done, is := value.(bool)
	if given && !is {
		return o, fields, s.garbage(tool, "done", "name a field that is true or false",
			fmt.Errorf("%s is neither true nor false", connector.Excerpt(connector.Text(value))))
	}
	done = done || tool == s.doneTool
	o = sparkd.Observation{Text: textOf(r), Reward: reward, Done: done}
	if s.fromFields {
		if text, err := s.reading.Text(fields); err == nil { // not every tool has them
			o.Text = text
		}
	}
	err = s.reading.Judge(&o, fields)
	return o, fields, err
}

// structure returns the structured content of a result, or the JSON object that is its
// only text: many servers know no other way.
func structure(r *mcp.CallToolResult) map[string]any {
	data := []byte("{}")
	if r.StructuredContent != nil {
		data, _ = json.Marshal(r.StructuredContent) // it was parsed from JSON
	} else if len(r.Content) == 1 {
		if t, ok := r.Content[0].(*mcp.TextContent); ok {
			data = []byte(t.Text)
		}
	}
	fields, err := connector.Object(data)
	if err != nil {
		return map[string]any{} // some other text
	}
	return fields
}

// textOf writes the content of a result as the agent reads it.
func textOf(r *mcp.CallToolResult) string {
	var parts []string
	for _, c := range r.Content {
		switch c := c.(type) {
		case *mcp.TextContent:
			parts = append(parts, c.Text)
		case *mcp.ImageContent:
			parts = append(parts, fmt.Sprintf("[%s, %d bytes]", c.MIMEType, len(c.Data)))
		case *mcp.AudioContent:
			parts = append(parts, fmt.Sprintf("[%s, %d bytes]", c.MIMEType, len(c.Data)))
		case *mcp.ResourceLink:
			parts = append(parts, fmt.Sprintf("[%s: %s]", c.Name, c.URI))
		case *mcp.EmbeddedResource:
			parts = append(parts, embedded(c))
		}
	}
	if parts == nil && r.StructuredContent != nil {
		return connector.Text(structure(r))
	}
	return strings.Join(parts, "\n")
}

func embedded(c *mcp.EmbeddedResource) string {
	switch r := c.Resource; {
	case r == nil:
		return "[nothing]"
	case r.Text != "":
		return r.Text
	default:
		return fmt.Sprintf("[%s, %s, %d bytes]", r.URI, r.MIMEType, len(r.Blob))
	}
}

// garbage is the error of a result whose reward or done cannot be used.
func (s *settings) garbage(tool, field, remedy string, err error) error {
	return sparkd.NewError(sparkd.CodeEnv, s.read.Field(field), remedy,
		"cannot use the result of %s: its %s %v", tool, field, err).Because(err)
}
