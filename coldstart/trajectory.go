// Package coldstart makes the trajectories that an agent learns the two modes of reasoning from before
// reinforcement learning begins: a path to the goal, each step with a reason in <explore> where the state leaves
// something open and in <think> elsewhere (SPARK, arXiv 2601.20209, §3.1 and appendix A). Reasons come from a
// planner that knows only what has been seen, or from a teacher model.
package coldstart

import (
	"slices"
	"strings"

	"sparkd"
	"sparkd/sampler"
)

// Trajectory is an episode that reached its goal, with a reason for every action.
type Trajectory struct {
	Task   sparkd.Task
	Source Source
	Goal   string
	Steps  []Step
}

// Step is what was observed, and what was done then and why.
type Step struct {
	Observation sparkd.Observation
	Reason      string // "<explore>…</explore>" or "<think>…</think>"; "" where none is known yet
	Action      string
	Slip        bool // useless, and not to be learnt
}

// Source says where a path comes from.
type Source string

const (
	Own   Source = "own"   // sought by one who did not know the way
	Retro Source = "retro" // a golden path, with reasons given afterwards
)

// Row is a line for training: a conversation, in the conversational form that TRL's SFTTrainer takes
// (trl/data_utils.py). Either Messages holds all of it, or Prompt and Completion hold one step.
type Row struct {
	Messages   []Message `json:"messages,omitempty"`
	Prompt     []Message `json:"prompt,omitempty"`
	Completion []Message `json:"completion,omitempty"`
	Task       string    `json:"task"` // env/split/index
	Source     Source    `json:"source"`
	Success    bool      `json:"success"`        // always true: what fails teaches nothing
	Step       int       `json:"step,omitempty"` // of Prompt and Completion, from 1
}

// Message is one turn.
type Message struct {
	Role    string `json:"role"` // "system", "user", "assistant"
	Content string `json:"content"`
	Weight  *int   `json:"weight,omitempty"` // 0 where an answer is not to be learnt
}

// Rows renders a trajectory as the sampler would have prompted it: one row in the append
// context (window 0), and one for every step where the last window steps are rendered anew.
func Rows(t *Trajectory, p sampler.Prompt, window int) []Row {
	p.Terse = true // examples of the form are for models that are not trained for it
	var opening []Message
	if s := p.System(); s != "" {
		opening = []Message{{Role: "system", Content: s}}
	}
	row := Row{Task: t.Task.String(), Source: t.Source, Success: true}
	whole, conversation := row, opening
	var steps []Row
	var past []sampler.Quoted
	for i := range t.Steps {
		s := &t.Steps[i]
		user := Message{Role: "user", Content: p.Opening(&s.Observation)}
		switch {
		case i > 0 && window > 0:
			user.Content = p.Window(t.Goal, past, window, &s.Observation)
		case i > 0:
			user.Content = p.Step(&s.Observation)
		}
		past = append(past, sampler.Quoted{Observation: strings.TrimSpace(s.Observation.Text), Action: s.Action})
		said := answer(s, p.Style)
		conversation = append(conversation, user, said)
		if !s.Slip {
			row.Prompt, row.Completion = append(slices.Clip(opening), user), []Message{said}
			row.Step = i + 1
			steps = append(steps, row)
		}
	}
	if window > 0 {
		return steps
	}
	whole.Messages = conversation
	return []Row{whole}
}

// answer is what the agent says: the reason and the action, on a line of its own in the paper's form.
func answer(s *Step, style sampler.Style) Message {
	m := Message{Role: "assistant", Content: s.Reason + "\n<action>" + s.Action + "</action>"}
	if style == sampler.StyleCompact {
		m.Content = s.Reason + "<action>" + s.Action + "</action>"
	}
	if s.Slip {
		m.Weight = new(int)
	}
	return m
}
