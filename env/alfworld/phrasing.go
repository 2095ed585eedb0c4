package alfworld

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Phrasing is every text and command of a game: a grammar made ready to be spoken. Games of different years differ
// in it ("put mug 1 in/on desk 1", "You arrive at loc 4."). It does not change after readPhrasing.
type Phrasing struct {
	verbs    []verb // those that the domain has, in the order of their commands
	commands [verbs]phrase
	answers  [verbs]phrase
	intro    phrase
	named    bool   // every command names its agent
	sentence string // the task: "put a clean mug in desk"
}

// phrase writes a text about a scene.
type phrase func(p *prose, c *scene)

// ownWording is that of generated games, but for the sentence.
var ownWording = sync.OnceValues(func() (*Phrasing, error) {
	d, err := readDomain(domainText)
	if err != nil {
		return nil, err
	}
	return readPhrasing(grammarText, d)
})

// readPhrasing compiles a grammar for the actions of a domain.
func readPhrasing(text string, d domain) (*Phrasing, error) {
	g, err := readGrammar(text)
	if err != nil {
		return nil, err
	}
	w := &Phrasing{}
	// The task is told in words that the rules do not read: the sentence stands for them.
	if w.sentence, err = g.task(); err != nil {
		return nil, err
	}
	if w.intro, err = g.compile("#intro#", 0); err != nil {
		return nil, err
	}
	w.named = true
	prefixes := [verbs]string{}
	for v := range verbs {
		s := schemas[v]
		if !d.verbs[s.action] {
			continue
		}
		template, ok := g.commands[s.action]
		if !ok {
			return nil, badGrammar("the action %q has no template", s.action)
		}
		if w.commands[v], err = g.compile(template, s.binds); err != nil {
			return nil, err
		}
		if w.answers[v], err = g.compile(g.feedback[s.action], s.binds); err != nil {
			return nil, err
		}
		w.named = w.named && strings.Contains(template, "{a.name}")
		w.verbs = append(w.verbs, v)
		prefixes[v], _, _ = strings.Cut(template, "{")
	}
	slices.SortStableFunc(w.verbs, func(a, b verb) int { return cmp.Compare(prefixes[a], prefixes[b]) })
	return w, nil
}

const taskPrefix = "Your task is to: "

// task takes the sentence out of the rule "task" and leaves a hole for it.
func (g *grammar) task() (string, error) {
	rules := g.rules["task"]
	if len(rules) == 0 || rules[0].Condition != "" {
		return "", badGrammar(`it has no rule "task"`)
	}
	whole := literal(rules[0].Text)
	sentence := strings.TrimSuffix(strings.TrimPrefix(whole, taskPrefix), ".")
	g.rules["task"] = []production{{Text: strings.Replace(whole, sentence, sentenceHole, 1)}}
	return sentence, nil
}
