package sampler

import (
	"slices"
	"strings"
)

// rewriter writes texts as a template does that changes them: Falcon's takes empty lines out, SmolLM3's the word
// /think. It may be used by several goroutines at once.
type rewriter struct {
	j      chatJinja
	form   form
	before map[string]string // a text of the role, in the conversation that text renders
	behind map[string]string
}

// rewriter returns nil for a template that keeps texts: such with empty lines, tabs, and the tags of prompts.
func (j *chatJinja) rewriter(f form, t *Template) *rewriter {
	const more = "\n\n\tone\n\n\ntwo  three\\n <think>a</think> <explore>b</explore> <action>c</action>"
	system, user := systemProbe, turnProbes[0]
	system.text, user.text = system.text+more, user.text+more
	probes := []probe{system, user}
	if !f.system {
		probes = probes[1:]
	}
	if _, err := j.cut(f, probes...); err == nil {
		return nil
	}
	r := &rewriter{j: *j, form: f, before: map[string]string{"system": t.opening[0], "user": t.bare[0]},
		behind: map[string]string{"system": t.opening[1], "user": t.bare[1]}}
	if f.system {
		r.before["user"], r.behind["user"] = t.opening[1], t.opening[2]
	}
	return r
}

// text returns what the template makes of a text, and the text itself where that does not show.
func (r *rewriter) text(role, text string) string {
	if r == nil {
		return text
	}
	j := r.j
	j.empty = slices.Clone(j.empty) // rendering may add to it
	system, user := systemProbe.text, turnProbes[0].text
	if role == "system" {
		system = text
	} else {
		user = text
	}
	messages := []message{{"user", user}}
	if r.form.system {
		messages = slices.Insert(messages, 0, message{"system", system})
	}
	rendered, err := j.render(messages, r.form.parts, true)
	switch {
	case err != nil:
		return text
	case role == "system":
		rendered, _, _ = strings.Cut(rendered, user)
	case r.form.system:
		_, rendered, _ = strings.Cut(rendered, system)
	}
	rest, begins := strings.CutPrefix(rendered, r.before[role])
	rest, ends := strings.CutSuffix(rest, r.behind[role])
	if !begins || !ends {
		return text
	}
	return rest
}
