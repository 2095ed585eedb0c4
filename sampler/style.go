package sampler

import (
	"regexp"
	"slices"
	"strings"

	"sparkd"
)

// Style is how a prompt is worded.
type Style string

const (
	// StylePaper explains everything at every step: rules in a system message, examples, the actions that are
	// possible, the form of an answer. For models that were trained for other things.
	StylePaper Style = "paper"
	// StyleCompact says the task and what the agent sees, and nothing else. For models that have learnt the rest.
	StyleCompact Style = "compact"
)

// Styles lists the names of styles.
func Styles() []string { return []string{string(StylePaper), string(StyleCompact)} }

// styleMark is the comment of a chat template that names the model's style, so that it
// travels wherever the template does: a GGUF, a folder of Hugging Face files, a server.
var styleMark = regexp.MustCompile(`(?s)\{#[-+]?\s*sparkd:(.*?)[-+]?#\}`)

// ModelStyle returns the style that a chat template names by a comment such as {#- sparkd: prompt_style=compact
// -#}; StylePaper where it names none. A comment of sparkd's that says anything else is an error: a model that is
// prompted in another way than it was trained is worth nothing, and nothing else would show why.
func ModelStyle(chatTemplate string) (Style, error) {
	style := StylePaper
	for i, mark := range styleMark.FindAllStringSubmatch(chatTemplate, -1) {
		setting := strings.TrimSpace(mark[1])
		name, ok := strings.CutPrefix(setting, "prompt_style=")
		switch {
		case !ok:
			return "", badMark("the model's chat template says %q to sparkd, which is not prompt_style=NAME", setting)
		case !slices.Contains(Styles(), name):
			return "", badMark("the model's chat template names the prompt style %q, which this sparkd does not know",
				name)
		case i > 0 && Style(name) != style:
			return "", badMark("the model's chat template names two prompt styles, %s and %s", style, name)
		}
		style = Style(name)
	}
	return style, nil
}

func badMark(format string, args ...any) error {
	return sparkd.Invalid("sampler.prompt", "set sampler.prompt to one of "+strings.Join(Styles(), ", ")+
		", or correct the template", format, args...)
}
