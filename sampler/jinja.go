package sampler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/parser"
)

// message is one turn of a conversation, as chat templates see it.
type message struct{ role, content string }

// maxRendered bounds what a chat template may write for the few short messages it is asked to render.
const maxRendered = 1 << 20

// maxRange bounds what range() may count.
const maxRange = 10_000

// jinja is a parsed chat template. It behaves as the templates of model hubs expect: trim_blocks and lstrip_blocks
// are on, raise_exception and strftime_now exist, and bos_token and eos_token are set.
//
// A template is a stranger's program: it may not reach files (include, import and extends are unknown tags), and
// its output is bounded. Also unknown is the tag generation, which marks a trainer's loss.
type jinja struct {
	template *exec.Template
	bos, eos string
}

func parseJinja(source, bos, eos string) (j *jinja, err error) {
	defer recovered("parse the chat template", &err)
	loader, err := loaders.NewMemoryLoader(map[string]string{"/chat": source})
	if err != nil {
		return nil, err
	}
	cfg := config.New()
	cfg.TrimBlocks, cfg.LeftStripBlocks = true, true
	t, err := exec.NewTemplate("/chat", cfg, loader, jinjaEnvironment())
	if err != nil {
		return nil, err
	}
	return &jinja{template: t, bos: bos, eos: eos}, nil
}

func jinjaEnvironment() *exec.Environment {
	tags := exec.NewControlStructureSet(map[string]parser.ControlStructureParser{})
	for _, name := range strings.Fields("for if set macro call filter raw with do break continue") {
		if p, ok := builtins.ControlStructures.Get(name); ok {
			// The names are distinct, the only thing Register can object to.
			_ = tags.Register(name, p)
		}
	}
	context := exec.EmptyContext().Update(builtins.GlobalFunctions).Update(builtins.GlobalVariables)
	context.Set("raise_exception", func(message string) (string, error) { return "", errors.New(message) })
	context.Set("range", boundedRange)
	// The date is fixed: a prompt must not change at midnight, or trees would not repeat.
	context.Set("strftime_now", func(layout string) string { return strftime(layout, templateDate) })
	return &exec.Environment{
		Context:           context,
		Filters:           builtins.Filters,
		Tests:             builtins.Tests,
		ControlStructures: tags,
		Methods:           builtins.Methods,
	}
}

// render returns the text of the conversation; prompt adds what opens the assistant's next turn.
func (j *jinja) render(messages []message, prompt bool) (text string, err error) {
	defer recovered("render the chat template", &err)
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = map[string]any{"role": m.role, "content": m.content}
	}
	var out bounded
	err = j.template.Execute(&out, exec.NewContext(map[string]any{
		"messages":              list,
		"add_generation_prompt": prompt,
		"bos_token":             j.bos,
		"eos_token":             j.eos,
	}))
	return out.text.String(), err
}

// recovered turns a panic of the template library into an error.
func recovered(what string, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("cannot %s: %v", what, p)
	}
}

// bounded keeps at most maxRendered bytes. It panics beyond, which render recovers: the
// library goes on with a loop whose writes return errors.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxRendered {
		panic("it writes without end")
	}
	return b.text.Write(p)
}

// boundedRange is Jinja's range for the few messages of a conversation; the library's
// own would count to any number before the loop's first turn.
func boundedRange(bounds ...int) ([]int, error) {
	start, stop, step := 0, 0, 1
	switch len(bounds) {
	case 1:
		stop = bounds[0]
	case 2:
		start, stop = bounds[0], bounds[1]
	case 3:
		start, stop, step = bounds[0], bounds[1], bounds[2]
	}
	if step == 0 {
		return nil, errors.New("range: step 0")
	}
	out := []int{}
	for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
		if len(out) == maxRange {
			return nil, fmt.Errorf("range: over %d numbers", maxRange)
		}
		out = append(out, i)
	}
	return out, nil
}

// templateDate is what strftime_now tells: the cut-off date that Llama's template falls back on.
var templateDate = time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC)

// strftime knows the directives that chat templates use.
func strftime(layout string, t time.Time) string {
	return strings.NewReplacer(
		"%d", t.Format("02"), "%b", t.Format("Jan"), "%B", t.Format("January"), "%m", t.Format("01"),
		"%Y", t.Format("2006"), "%y", t.Format("06"), "%A", t.Format("Monday"), "%a", t.Format("Mon"),
		"%H", t.Format("15"), "%M", t.Format("04"), "%S", t.Format("05"), "%%", "%",
	).Replace(layout)
}
