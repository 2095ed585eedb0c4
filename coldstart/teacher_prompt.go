package coldstart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sashabaranov/go-openai"
)

const teacherRules = `An agent solved a task in a text world. You get its path: for each step what it observed and which action it took then. The agent's thoughts are lost. Write them: for each step one short sentence that the agent could have thought there, knowing the observations up to that step and nothing of the later ones.

A thought stands inside one pair of tags, of one of two kinds:
<explore>…</explore> if what was observed leaves the next move open: it is not known yet where something needed is, or the last result was a surprise. Name several places, objects or actions worth a try, among them the one that the agent tries next.
<think>…</think> in every other case: say what is achieved and what follows.

Answer with a JSON list and nothing else: one object {"reason": "<think>…</think>", "action": "…"} for each step, in the order of the path. Copy each action letter by letter. Use no other tags.`

// teacherMessages asks for the reasons of a path, once more with why the last answer was
// refused.
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
	return []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleSystem, Content: teacherRules}, {Role: openai.ChatMessageRoleUser, Content: b.String()}}
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
