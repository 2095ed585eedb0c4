package sampler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sparkd"
	"sparkd/internal/jinja"
)

// Part is a piece of a rendered conversation: a message of Role, or what the template wants around messages.
// Control tokens that are spelled out in a Control part are control tokens; in any other part they are plain text.
type Part struct {
	Text    string
	Control bool
	Role    string // "system", "user", "assistant"; "" where Control
}

// Template is what a model wants around the turns of a conversation: a chat template
// cut into pieces that are only ever appended (docs/templates.md).
type Template struct {
	// Name says where the pieces come from: "model" for the model's own chat template,
	// "chatml" or "plain" for the declared fallbacks.
	Name string `json:"name"`
	// Warning says where the conversation differs from what the model's template would render; "" when it does not.
	Warning string `json:"warning,omitempty"`
	// Opens is the mark with which the generation prompt opens a thought, inside which an answer then begins; "" for
	// none.
	Opens string `json:"opens,omitempty"`

	system  bool      // has a place for a system message; else it joins the first user message
	opening [3]string // before the system text, between it and the user text, after that
	bare    [2]string // before the user text where there is no system text, after that
	next    [2]string // between an answer and the next user text, after that
	earlier string    // before an answer that lies behind, where that is not what comes before a new one
	thought thought
	differs []Difference
	rewrite *rewriter // nil where texts stay as they are, but for blanks at their ends
}

// The declared fallbacks. ChatML is the format of the control tokens <|im_start|> and
// <|im_end|>; plain is for models without any.
var (
	chatML = Template{Name: "chatml", system: true,
		opening: [3]string{"<|im_start|>system\n", "<|im_end|>\n<|im_start|>user\n",
			"<|im_end|>\n<|im_start|>assistant\n"},
		bare: [2]string{"<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"},
		next: [2]string{"<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"}}
	plain = Template{Name: "plain",
		bare: [2]string{"User:\n", "\n\nAssistant:"},
		next: [2]string{"\n\nUser:\n", "\n\nAssistant:"}}
)

// ModelTemplate returns the template of the engine's model.
func ModelTemplate(ctx context.Context, e sparkd.Engine) (Template, error) {
	info := e.Describe()
	spell := func(id sparkd.Token) (string, error) {
		if id < 0 {
			return "", nil
		}
		return e.Detokenize(ctx, []sparkd.Token{id})
	}
	bos, bosErr := spell(info.BOS)
	eos, eosErr := spell(info.EOS)
	mark, err := e.Tokenize(ctx, "<|im_start|>", true)
	if err := cmp.Or(bosErr, eosErr, err); err != nil {
		return Template{}, err
	}
	return NewTemplate(info.ChatTemplate, bos, eos, len(mark) == 1), nil
}

// NewTemplate derives the pieces from the Jinja source of a chat template by rendering messages whose text it
// recognises again. Where it cannot be rendered or cut into pieces, and where source is empty, the result is a
// fallback: ChatML if the vocabulary has its control tokens, else plain text. It never fails; the Warning tells.
func NewTemplate(source, bos, eos string, hasChatML bool) Template {
	fallback := plain
	if hasChatML {
		fallback = chatML
	}
	if source == "" {
		fallback.Warning = "the model has no chat template; using " + fallback.Name
		return fallback
	}
	j, err := parseJinja(source, bos, eos)
	if err != nil {
		fallback.Warning = fmt.Sprintf("the model's chat template cannot be read: %v; using %s", err, fallback.Name)
		return fallback
	}
	t, _, err := j.pieces(source)
	if err == nil {
		return *t
	}
	what := "be appended to"
	if _, ok := errors.AsType[*jinja.Error](err); ok {
		what = "be rendered"
	}
	fallback.Warning = fmt.Sprintf("the model's chat template cannot %s: %v; using %s", what, err, fallback.Name)
	return fallback
}

// Exchange is a user message and its answer.
type Exchange struct{ User, Answer string }

// Opening returns the parts of the opening: rules, unless system is "", examples as turns
// that lie behind, the first user message, and what opens the assistant's turn.
func (t *Template) Opening(system, user string, examples ...Exchange) []Part {
	turns := append(slices.Clip(examples), Exchange{User: user})
	first := turns[0].User
	before, after := t.bare[0], t.bare[1]
	var parts []Part
	switch {
	case system == "":
	case t.system:
		parts = []Part{control(t.opening[0]), {t.rewrite.text("system", system), false, "system"}}
		before, after = t.opening[1], t.opening[2]
	default:
		first = system + "\n\n" + first
	}
	parts = append(parts, control(before), Part{t.rewrite.text("user", first), false, "user"}, control(after))
	for i, e := range examples {
		parts[len(parts)-1] = control(t.before(e.Answer, parts[len(parts)-1].Text))
		parts = append(append(parts, Part{e.Answer, false, "assistant"}), t.Turn(turns[i+1].User)...)
	}
	return parts
}

// before returns what stands before an answer that lies behind: what the template writes there, blanks of its own for
// instance, else the generation prompt; of either no thought, where the answer has one.
func (t *Template) before(answer, prompt string) string {
	if t.earlier != "" {
		prompt = t.earlier
	}
	if strings.HasPrefix(answer, "<think>") {
		return t.thought.unopened(prompt)
	}
	return prompt
}

// Turn returns the parts that follow an answer: the end of the assistant's turn, the
// user message and what opens the assistant's next turn.
func (t *Template) Turn(user string) []Part {
	return []Part{control(t.next[0]), {t.rewrite.text("user", user), false, "user"}, control(t.next[1])}
}

func control(text string) Part { return Part{Text: text, Control: true} }
