package sampler

import (
	"fmt"
	"strings"

	"sparkd"
)

// Prompt words what the agent reads. StylePaper is in the manner of SPARK (arXiv 2601.20209): its role, the task,
// the observation, the actions that are possible, the two modes of reasoning and the form of an answer, in
// sparkd's own words. StyleCompact is the task and the observation alone.
type Prompt struct {
	Style Style // "" is StylePaper
	// Tag names the mode for surprises; "" is "explore".
	Tag string
	// Admissible bounds the actions that StylePaper lists in a message; 0 lists all. A household knows 20 to 50,
	// and every one is prefilled at every step. A shorter list takes actions evenly from the whole one and says
	// so; an action that is left out is still accepted.
	Admissible int
	// Terse leaves the example turns out of StylePaper, and the form that is repeated in every message. The
	// paper has neither. They are for models that were not trained for the form: of 96 first answers of
	// SmolLM2-135M at temperature 0.4 (six tasks, ten actions listed) 41 met it.
	Terse bool
	// Shown are the examples, the environment's own: a small model copies what looks like its own case, and in
	// another world the words of this one.
	Shown []sparkd.Example
}

func (p Prompt) tag() string {
	if p.Tag == "" {
		return "explore"
	}
	return p.Tag
}

// System returns the role and the rules; "" where the style has none.
func (p Prompt) System() string {
	if p.Style == StyleCompact {
		return ""
	}
	return p.tagged(`You act in a text world, one command per turn, until your task is done.

Begin each answer with one short sentence inside exactly one of two tags:
<explore>…</explore> when the last result surprised you or you miss something: ` +
		`name several places, objects or actions worth a try.
<think>…</think> in every other case: say what is done and what comes next.
Then give one of the possible actions, word for word, inside <action>…</action>. Write nothing else.`)
}

// tagged puts the tag's name for the one of the text.
func (p Prompt) tagged(text string) string { return strings.ReplaceAll(text, "explore>", p.tag()+">") }

// Examples returns the turns that show the form.
func (p Prompt) Examples() []Exchange {
	if p.Terse || p.Style == StyleCompact {
		return nil
	}
	var turns []Exchange
	for _, e := range p.Shown {
		tag := "think"
		if e.Surprised {
			tag = p.tag()
		}
		turns = append(turns, Exchange{p.Step(&sparkd.Observation{Text: e.Text, Admissible: e.Admissible}),
			fmt.Sprintf("<%s>%s</%[1]s>\n<action>%[3]s</action>", tag, e.Reason, e.Action)})
	}
	return turns
}

// Opening returns the first user message: the task, unless the observation tells it, and
// the observation with what the style adds to it.
func (p Prompt) Opening(o *sparkd.Observation) string {
	if goal := strings.TrimSpace(o.Goal); goal != "" && !strings.Contains(o.Text, goal) {
		return "Your task: " + goal + "\n\n" + p.Step(o)
	}
	return p.Step(o)
}

// Window returns the user message of the window context: the task, how many steps lie
// behind, the last of them, the current observation with what the style adds to it.
func (p Prompt) Window(goal string, past []Quoted, last int, o *sparkd.Observation) string {
	var b strings.Builder
	if goal = strings.TrimSpace(goal); goal != "" {
		b.WriteString("Your task: " + goal + "\n\n")
	}
	taken := len(past)
	fmt.Fprintf(&b, "Steps taken so far: %d.", taken)
	if last = min(last, taken); last > 0 {
		b.WriteString(" The last of them:")
	}
	for i, step := range past[taken-last:] {
		n := taken - last + i + 1
		fmt.Fprintf(&b, "\n[Observation %d: '%s', Action %d: '%s']", n, step.Observation, n, step.Action)
	}
	fmt.Fprintf(&b, "\n\nYou are at step %d and observe: ", taken+1)
	return b.String() + p.Step(o)
}

// Step returns the user message after an action: the observation with what the style adds to it.
func (p Prompt) Step(o *sparkd.Observation) string {
	text := strings.TrimSpace(o.Text)
	if p.Style == StyleCompact {
		return text
	}
	if len(o.Admissible) > 0 {
		text += p.list(o.Admissible)
	}
	if !p.Terse {
		text += p.tagged("\nAnswer with <explore>…</explore> or <think>…</think>, then <action>…</action>.")
	}
	return text
}

func (p Prompt) list(actions []string) string {
	head := "\nPossible actions"
	if most := p.Admissible; most > 0 && len(actions) > most {
		head += fmt.Sprintf(" (%d of %d)", most, len(actions))
		some := make([]string, most)
		for i := range some {
			some[i] = actions[i*len(actions)/most]
		}
		actions = some
	}
	return head + ": " + strings.Join(actions, ", ")
}
