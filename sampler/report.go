package sampler

import "strings"

// Pieces are the texts that a template writes around the messages of a conversation.
type Pieces struct {
	// Before the system text, between it and the first user text, and after that. A template that has no place for a
	// system text has none; the system text then opens the first user text.
	WithSystem []string `json:"with_system,omitempty"`
	// Before the first user text where there is no system text, and after it.
	Without []string `json:"without_system"`
	// What is appended per turn: between an answer and the next user text, after that.
	Turn []string `json:"turn"`
	// Before the answer of an example turn.
	Example string `json:"example"`
}

// Pieces returns the template's pieces.
func (t *Template) Pieces() Pieces {
	p := Pieces{Without: t.bare[:], Turn: t.next[:], Example: t.before("", t.next[1])}
	if t.system {
		p.WithSystem = t.opening[:]
	}
	return p
}

// Difference is a part of a conversation that is appended to, and the same part of the whole conversation as the
// template renders it when it has gone on.
type Difference struct {
	Of       string `json:"of"`
	Appended string `json:"appended"`
	Whole    string `json:"whole"`
}

// Differences says where a conversation that is appended to is another than the template renders it whole; empty where
// none is.
func (t *Template) Differences() []Difference { return t.differs }

// differences compares the turn of an answer, from behind the first user text to the second, with and without a thought
// in the answer.
func (j *chatJinja) differences(f form, t *Template) []Difference {
	const action = "<action>look</action>"
	open, end := t.thought.open, t.thought.close
	if open == "" {
		open, end = "<think>", "</think>"
	}
	thinking := open + "\nI look.\n" + end + "\n" + action
	if t.thought.begun {
		thinking = strings.TrimLeft(strings.TrimPrefix(thinking, open), "\n")
	}
	differs := []Difference{}
	for _, c := range []struct{ of, said, whole string }{
		{"an answer", action, action},
		{"an answer with a thought", thinking, open + "\nI look.\n" + end + "\n" + action},
	} {
		d := Difference{Of: c.of, Appended: t.next[1] + c.said + t.next[0]}
		var err error
		if d.Whole, err = j.between(f, c.whole); err != nil {
			d.Whole = err.Error()
		}
		// Blanks between prompt and answer are sampled.
		if strings.Join(strings.Fields(d.Whole), "") != strings.Join(strings.Fields(d.Appended), "") {
			differs = append(differs, d)
		}
	}
	return differs
}

// between renders what stands between the first and the second user text where the answer is this.
func (j *chatJinja) between(f form, answer string) (string, error) {
	probes := []probe{turnProbes[0], {"answer", "assistant", "", answer}, turnProbes[2]}
	messages := make([]message, 0, 4)
	if f.system {
		messages = append(messages, message{systemProbe.role, systemProbe.text})
	}
	for _, p := range probes {
		messages = append(messages, message{p.role, p.text})
	}
	text, err := j.render(messages, f.parts, true)
	if err != nil {
		return "", err
	}
	_, text, _ = strings.Cut(text, probes[0].text)
	text, _, _ = strings.Cut(text, probes[2].text)
	return text, nil
}
