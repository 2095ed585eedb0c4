package alfworld

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"strings"

	"sparkd"
)

// grammarText is alfred.twl2 of alfworld 0.4.2 (MIT licence, LICENSE.alfworld): every
// text and command of generated games.
//
//go:embed data/alfred.twl2
var grammarText string

const grammarField = "grammar"

// grammar is a game's TWL2 text as TextWorld's PddlEnv reads it.
type grammar struct {
	commands map[string]string // action, in lower case → template of its command
	feedback map[string]string // action, in lower case → template of its answer
	rules    map[string][]production
	parts    int // compiled so far
}

// production is one way to write a symbol; the first whose condition holds is taken.
type production struct {
	Condition string `json:"condition"`
	Text      string `json:"rhs"`
}

func badGrammar(format string, args ...any) error {
	return sparkd.Invalid(grammarField,
		"sparkd reads alfred.twl2 of alfworld 0.2 to 0.4 with any phrasing; run alfworld-generate with it, or "+
			"drive the game through exec", format, args...)
}

var (
	twlToken   = regexp.MustCompile(`^(?:"""(?s:.*?)"""|"[^"]*"|[\w/-]+|::|[;{}])`)
	twlBlank   = regexp.MustCompile(`^(?:\s+|#[^\n]*)+`)
	jsonRemark = regexp.MustCompile(`(?m)^\s*#.*$`)
)

// readGrammar reads a TWL2 text: blocks `grammar :: """{json}""";` and
// `action NAME { template :: "…"; feedback :: "…"; grammar :: """{json}"""; }`.
func readGrammar(text string) (*grammar, error) {
	words, err := twlWords(text)
	if err != nil {
		return nil, err
	}
	g := &grammar{commands: map[string]string{}, feedback: map[string]string{}, rules: map[string][]production{}}
	action := ""
	for len(words) > 0 {
		switch {
		case action == "" && len(words) > 2 && words[0] == "action" && words[2] == "{":
			action, words = strings.ToLower(words[1]), words[3:]
		case action != "" && words[0] == "}":
			action, words = "", words[1:]
		case len(words) > 3 && words[1] == "::" && words[3] == ";":
			if err := g.enter(action, words[0], words[2]); err != nil {
				return nil, err
			}
			words = words[4:]
		default:
			return nil, badGrammar("cannot read it at %.40q", strings.Join(words, " "))
		}
	}
	if action != "" {
		return nil, badGrammar("the text ends inside the action %q", action)
	}
	return g, nil
}

func twlWords(text string) ([]string, error) {
	var words []string
	for {
		text = text[len(twlBlank.FindString(text)):]
		if text == "" {
			return words, nil
		}
		word := twlToken.FindString(text)
		if word == "" {
			return nil, badGrammar("cannot read it at %.40q", text)
		}
		words, text = append(words, word), text[len(word):]
	}
}

// enter enters `key :: value;` of an action, or of the top level if action is "".
func (g *grammar) enter(action, key, value string) error {
	block := strings.HasPrefix(value, `"""`)
	text := strings.Trim(value, `"`)
	switch {
	case key == "grammar" && block:
		if action != "" {
			text = jsonRemark.ReplaceAllString(text, "")
		}
		var rules map[string][]production
		if err := json.Unmarshal([]byte(text), &rules); err != nil {
			return badGrammar("the rules of %q are not JSON: %v", action, err)
		}
		for symbol, productions := range rules {
			g.rules[symbol] = productions
		}
	case key == "template" && action != "" && !block:
		g.commands[action] = text
	case key == "feedback" && action != "" && !block:
		g.feedback[action] = text
	case key == "pddl" && action != "" && block:
	default:
		return badGrammar("cannot read %s :: %.40q", key, value)
	}
	return nil
}
