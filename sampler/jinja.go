package sampler

import (
	"errors"
	"slices"

	"sparkd/internal/jinja"
)

// message is one turn of a conversation, as chat templates see it.
type message struct{ role, content string }

// chatJinja is a parsed chat template with the variables that transformers gives it.
type chatJinja struct {
	template *jinja.Template
	bos, eos string

	lists bool     // tools and documents are empty lists; else None, as transformers has it
	empty []string // variables that the template does not do without, though transformers does not set them
}

// maxEmpty bounds the variables that are set to nothing.
const maxEmpty = 8

func parseJinja(source, bos, eos string) (*chatJinja, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	return &chatJinja{template: t, bos: bos, eos: eos}, nil
}

// render returns the text of the conversation; prompt adds what opens the assistant's next turn. With parts the
// contents are lists of parts, as templates of models that see pictures want them.
func (j *chatJinja) render(messages []message, parts, prompt bool) (string, error) {
	for {
		text, err := j.template.Render(j.vars(messages, parts, prompt))
		e, ok := errors.AsType[*jinja.Error](err)
		if !ok || e.Variable == "" || len(j.empty) == maxEmpty || slices.Contains(j.empty, e.Variable) {
			return text, err
		}
		j.empty = append(j.empty, e.Variable)
	}
}

// vars are the variables of a rendering.
func (j *chatJinja) vars(messages []message, parts, prompt bool) jinja.Object {
	list := make([]any, len(messages))
	for i, m := range messages {
		var content any = m.content
		if parts {
			content = []any{jinja.Object{{Key: "type", Value: "text"}, {Key: "text", Value: m.content}}}
		}
		list[i] = jinja.Object{{Key: "role", Value: m.role}, {Key: "content", Value: content}}
	}
	var none any
	if j.lists {
		none = []any{}
	}
	vars := jinja.Object{
		{Key: "messages", Value: list},
		{Key: "tools", Value: none},
		{Key: "documents", Value: none},
		{Key: "add_generation_prompt", Value: prompt},
		{Key: "bos_token", Value: j.bos},
		{Key: "eos_token", Value: j.eos},
	}
	for _, name := range j.empty {
		vars = append(vars, jinja.Member{Key: name, Value: ""})
	}
	return vars
}
