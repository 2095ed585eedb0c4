package sampler

import "sparkd/internal/jinja"

// message is one turn of a conversation, as chat templates see it.
type message struct{ role, content string }

// chatJinja is a parsed chat template with the variables that transformers gives it.
type chatJinja struct {
	template *jinja.Template
	bos, eos string
}

func parseJinja(source, bos, eos string) (*chatJinja, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return nil, err
	}
	return &chatJinja{t, bos, eos}, nil
}

// render returns the text of the conversation; prompt adds what opens the assistant's next turn.
func (j *chatJinja) render(messages []message, prompt bool) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = jinja.Object{{Key: "role", Value: m.role}, {Key: "content", Value: m.content}}
	}
	return j.template.Render(jinja.Object{
		{Key: "messages", Value: list},
		{Key: "tools", Value: nil},
		{Key: "documents", Value: nil},
		{Key: "add_generation_prompt", Value: prompt},
		{Key: "bos_token", Value: j.bos},
		{Key: "eos_token", Value: j.eos},
	})
}
