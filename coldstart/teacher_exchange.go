package coldstart

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/sashabaranov/go-openai"

	"sparkd/internal/httpclient"
	"sparkd/sampler"
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
	lines := json.NewEncoder(&b)
	lines.SetEscapeHTML(false)
	for i, s := range t.Steps {
		_ = lines.Encode(struct { // strings and a number can always be written
			Step        int    `json:"step"`
			Observation string `json:"observation"`
			Action      string `json:"action"`
		}{i + 1, strings.TrimSpace(s.Observation.Text), s.Action})
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

// reasonsIn returns the reasons of an answer, one for each step. An answer counts only if it has as many objects as
// the path has steps, the same actions, and in each reason one of the two modes and nothing else (SPARK's own rule,
// made stricter). The error says to the teacher what is wrong.
func reasonsIn(answer *openai.ChatCompletionResponse, steps []Step) ([]string, error) {
	var c openai.ChatCompletionChoice
	if len(answer.Choices) > 0 {
		c = answer.Choices[0]
	}
	if c.FinishReason == openai.FinishReasonLength {
		return nil, fmt.Errorf("the answer was cut off after %d tokens", answer.Usage.CompletionTokens)
	}
	var list []struct{ Reason, Action string }
	if err := json.Unmarshal([]byte(unfenced(c.Message.Content)), &list); err != nil {
		return nil, fmt.Errorf("it is no JSON list of objects with two strings (%s)",
			httpclient.Excerpt([]byte(err.Error())))
	}
	if len(list) != len(steps) {
		return nil, fmt.Errorf("it has %d objects for %d steps", len(list), len(steps))
	}
	reasons := make([]string, len(list))
	for i, s := range list {
		if s.Action != steps[i].Action {
			return nil, fmt.Errorf("the action of step %d is %q, not %q",
				i+1, steps[i].Action, httpclient.Excerpt([]byte(s.Action)))
		}
		reasons[i] = strings.TrimSpace(s.Reason)
		if err := checkReason(reasons[i]); err != nil {
			return nil, fmt.Errorf("the reason of step %d %w", i+1, err)
		}
	}
	return reasons, nil
}

// fence is the block of Markdown that models like to put JSON into.
var fence = regexp.MustCompile("(?s)^```[A-Za-z]*\\s*\n(.*)\n\\s*```$")

func unfenced(text string) string {
	text = strings.TrimSpace(text)
	if m := fence.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return text
}

// maxReason bounds a reason, in bytes; what is asked for is a sentence.
const maxReason = 1000

// tag is what a reader, or a tokenizer, could take for markup.
var tag = regexp.MustCompile(`<\s*[/|!]?\s*\pL`)

// checkReason says what keeps a reason from being one.
func checkReason(reason string) error {
	inner := ""
	for _, mode := range []string{"explore", "think"} {
		if rest, ok := strings.CutPrefix(reason, "<"+mode+">"); ok {
			if inner, ok = strings.CutSuffix(rest, "</"+mode+">"); !ok {
				return fmt.Errorf("does not end with </%s>", mode)
			}
		}
	}
	switch {
	case len(reason) > maxReason:
		return fmt.Errorf("is longer than %d bytes", maxReason)
	case !strings.HasPrefix(reason, "<explore>") && !strings.HasPrefix(reason, "<think>"):
		return errors.New("does not begin with <explore> or <think>")
	case strings.TrimSpace(inner) == "":
		return errors.New("is empty")
	case tag.MatchString(inner):
		return errors.New("has a tag inside")
	case !sampler.ParseAnswer(reason+"<action>look</action>", "explore", false).Valid:
		return errors.New("has signs of Chinese, Japanese or Korean, which the form of answers rules out")
	}
	return nil
}
