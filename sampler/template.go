package sampler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sparkd"
)

// Part is a piece of a rendered conversation: a message of Role, or what the template wants around messages.
// Control tokens that are spelled out in a Control part are control tokens; in any other part they are plain text.
type Part struct {
	Text    string
	Control bool
	Role    string // "system", "user", "assistant"; "" where Control
}

// Template is what a model wants around the turns of a conversation: a chat template
// cut into pieces that are only ever appended.
type Template struct {
	// Name says where the pieces come from: "model" for the model's own chat template,
	// "chatml" or "plain" for the declared fallbacks.
	Name string `json:"name"`
	// Warning says where the conversation differs from what the model's template would render; "" when it does not.
	Warning string `json:"warning,omitempty"`

	system  bool      // has a place for a system message; else it joins the first user message
	opening [3]string // before the system text, between it and the user text, after that
	bare    [2]string // before the user text where there is no system text, after that
	next    [2]string // between an answer and the next user text, after that
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
// recognises again. The template must have the append property: a longer conversation begins with the rendering of
// a shorter one. Where it has not, where it cannot be rendered, and where source is empty, the result is a
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
	var first error
	for _, try := range []struct {
		system  bool
		answer  string
		warning string
	}{
		{true, reasonedAnswer, ""},
		{false, reasonedAnswer,
			"the model's chat template takes no system message at the front; the rules open the first user message"},
		{true, plainAnswer,
			"the model's chat template rewrites the reasoning of earlier answers; they are kept as they were sampled"},
		{false, plainAnswer, "the model's chat template takes no system message at the front and rewrites the " +
			"reasoning of earlier answers; the rules open the first user message and answers are kept as they " +
			"were sampled"},
	} {
		t, err := j.pieces(try.system, try.answer)
		if err == nil {
			t.bare = j.bare(&t, try.answer)
			t.Warning = try.warning
			return t
		}
		if first == nil {
			first = err
		}
	}
	const warning = "the model's chat template cannot be appended to: %v; using %s"
	fallback.Warning = fmt.Sprintf(warning, first, fallback.Name)
	return fallback
}

// What the rendered messages say. An answer with reasoning shows whether a template
// cuts it out later on, as those of reasoning models do.
const (
	systemText     = "sparkd system text"
	userText       = "sparkd user text"
	laterText      = "sparkd later user text"
	plainAnswer    = "sparkd answer"
	reasonedAnswer = "<think>sparkd reasoning</think>\n<action>sparkd answer</action>"
)

var errNotAppended = errors.New("a longer conversation does not begin with the shorter one")

// pieces cuts renderings of one, two and three user turns into pieces and checks that
// each begins with the one before and that all later turns look alike.
func (j *chatJinja) pieces(system bool, answer string) (Template, error) {
	t := Template{Name: "model", system: system}
	conversation := []message{{"user", userText}}
	if system {
		conversation = []message{{"system", systemText}, {"user", userText}}
	}
	var rendered [3]string
	for i := range rendered {
		var err error
		if rendered[i], err = j.render(conversation, true); err != nil {
			return t, err
		}
		conversation = append(conversation, message{"assistant", answer}, message{"user", laterText})
	}
	rest, ok := rendered[0], true
	if system {
		if t.opening[0], rest, ok = strings.Cut(rest, systemText); !ok {
			return t, errors.New("the system text is missing")
		}
	}
	if t.opening[1], t.opening[2], ok = strings.Cut(rest, userText); !ok {
		return t, errors.New("the user text does not follow the system text")
	}
	if t.next, ok = turn(rendered[0], rendered[1], answer); !ok {
		return t, errNotAppended
	}
	if later, ok := turn(rendered[1], rendered[2], answer); !ok || later != t.next {
		return t, errNotAppended
	}
	return t, nil
}

// bare returns what stands around the first user text of a conversation without a
// system message. A template that demands one gets an empty one.
func (j *chatJinja) bare(t *Template, answer string) [2]string {
	if without, err := j.pieces(false, answer); err == nil && without.next == t.next {
		return [2]string{without.opening[1], without.opening[2]}
	}
	return [2]string{t.opening[0] + t.opening[1], t.opening[2]}
}

// turn returns what stands in longer, after shorter and answer, on both sides of the user text. Blanks between the
// generation prompt and the answer are left to the model, which samples them.
func turn(shorter, longer, answer string) (pieces [2]string, ok bool) {
	rest, ok := strings.CutPrefix(longer, shorter)
	if !ok {
		return pieces, false
	}
	if rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \n"), answer); !ok {
		return pieces, false
	}
	pieces[0], pieces[1], ok = strings.Cut(rest, laterText)
	return pieces, ok
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
		parts = []Part{control(t.opening[0]), {system, false, "system"}}
		before, after = t.opening[1], t.opening[2]
	default:
		first = system + "\n\n" + first
	}
	parts = append(parts, control(before), Part{first, false, "user"}, control(after))
	for i, e := range examples {
		parts = append(append(parts, Part{e.Answer, false, "assistant"}), t.Turn(turns[i+1].User)...)
	}
	return parts
}

// Turn returns the parts that follow an answer: the end of the assistant's turn, the
// user message and what opens the assistant's next turn.
func (t *Template) Turn(user string) []Part {
	return []Part{control(t.next[0]), {user, false, "user"}, control(t.next[1])}
}

func control(text string) Part { return Part{Text: text, Control: true} }
