package coldstart

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sashabaranov/go-openai"
)

// teacherRules say what a reason is and how to answer.
//
//go:embed teacher_rules.txt
var teacherRules string

// teacherMessages asks for the reasons of a path, once more with why the last answer was refused.
func teacherMessages(t *Trajectory, refusal error) []openai.ChatCompletionMessage {
	var b strings.Builder
	if t.Goal != "" {
		fmt.Fprintf(&b, "The task: %s\n\n", t.Goal)
	}
	b.WriteString("The path, one step a line:\n")
	for i := range t.Steps {
		b.Write(teacherStep(i, &t.Steps[i]))
	}
	fmt.Fprintf(&b, "\nYour list has %d objects.", len(t.Steps))
	if refusal != nil {
		fmt.Fprintf(&b, " An earlier answer was refused: %v.", refusal)
	}
	return []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: teacherRules},
		{Role: openai.ChatMessageRoleUser, Content: b.String()},
	}
}

// teacherStep is a line of JSON.
func teacherStep(i int, s *Step) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(struct { // strings and a number can always be written
		Step        int    `json:"step"`
		Observation string `json:"observation"`
		Action      string `json:"action"`
	}{i + 1, strings.TrimSpace(s.Observation.Text), s.Action})
	return b.Bytes()
}
