package sampler

import (
	"slices"
	"strings"
	"unicode"
)

// Answer is what could be read from the model's output.
type Answer struct {
	// Action is the text of the only action pair, trimmed; "" when there is none or
	// more than one, which the environment answers as it answers any nonsense.
	Action string
	// Tags are the reasoning tags found as complete pairs, in order of first
	// appearance and spelled as written. An empty pair counts, an unclosed tag does not.
	Tags []string
	// Valid says that the output has the required form: exactly one action pair and exactly one reasoning pair,
	// both with content, the reasoning first, and no CJK character.
	Valid bool
}

// ParseAnswer reads an answer whose reasoning tags are tag and "think", by the rules of SPARK's released code for
// ALFWorld. The form is judged without regard to case. A pair is listed in Tags when it closes as it opened; with
// fold also when the two differ in case.
func ParseAnswer(output, tag string, fold bool) Answer {
	return reading{tag: tag, fold: fold}.answer(output)
}

// ParseAnswer is the function of this name for answers of the template's model. One that begins inside a thought, which
// the generation prompt opened or which the family marks in its own way, has a pair "think" in that thought; the form
// is judged by what follows it. Where a pair of the answer's own follows, that one is the required one: the model did
// not choose the thought.
func (t *Template) ParseAnswer(output, tag string, fold bool) Answer {
	r := reading{tag: tag, fold: fold}
	inside, rest, thinks := t.thought.cut(output)
	if !thinks {
		return r.answer(output)
	}
	r.thinks, r.thought = true, inside
	return r.answer(rest)
}

// reading is how an answer is read.
type reading struct {
	tag     string
	fold    bool
	thinks  bool   // a thought came before
	thought string // what it said
}

func (r reading) answer(output string) Answer {
	tags := findTags(output, "action", "think", r.tag)
	action, think := findPairs(output, tags, "action"), findPairs(output, tags, "think")
	explore := pairs{}
	if !strings.EqualFold(r.tag, "think") {
		explore = findPairs(output, tags, r.tag)
	}
	a := Answer{Tags: completeTags(tags, r.tag, r.fold)}
	if r.thinks && !slices.Contains(a.Tags, "think") {
		a.Tags = slices.Insert(a.Tags, 0, "think")
	}
	if action.count == 1 {
		a.Action = strings.TrimSpace(action.content)
	}
	reasoning, count := explore, explore.count+think.count
	switch {
	case think.count > 0:
		reasoning = think
	case count == 0 && r.thinks:
		reasoning, count = pairs{start: -1, content: r.thought}, 1
	}
	a.Valid = a.Action != "" && count == 1 &&
		strings.TrimSpace(reasoning.content) != "" && reasoning.start < action.start &&
		!strings.ContainsFunc(r.thought+output, isCJK)
	return a
}

// mark is a tag, <name> or </name>.
type mark struct {
	name     string // as it is spelled
	closing  bool
	from, to int // where it stands
}

// findTags finds the tags of these names, spelled in any case.
func findTags(s string, names ...string) (tags []mark) {
	for i := range len(s) {
		if s[i] != '<' {
			continue
		}
		rest, closing := strings.CutPrefix(s[i+1:], "/")
		for _, name := range names {
			n := len(name)
			if len(rest) > n && rest[n] == '>' && strings.EqualFold(rest[:n], name) {
				tags = append(tags, mark{rest[:n], closing, i, len(s) - len(rest) + n + 1})
				break
			}
		}
	}
	return tags
}

// pairs are the occurrences of <name>…</name>, found as a regular expression would find
// them: leftmost, shortest, without overlap, ignoring case.
type pairs struct {
	count   int
	start   int    // of the first
	content string // of the first
}

func findPairs(s string, tags []mark, name string) (p pairs) {
	open := -1
	for i, t := range tags {
		switch {
		case !strings.EqualFold(t.name, name):
		case !t.closing && open < 0:
			open = i
		case t.closing && open >= 0:
			if p.count == 0 {
				p.start, p.content = tags[open].from, s[tags[open].to:t.from]
			}
			p.count++
			open = -1
		}
	}
	return p
}

// completeTags lists the spellings of tag and of "think" that open and close.
func completeTags(tags []mark, tag string, fold bool) (complete []string) {
	closes := func(open mark) func(mark) bool {
		return func(t mark) bool {
			return t.closing && (t.name == open.name || fold && strings.EqualFold(t.name, open.name))
		}
	}
	for i, t := range tags {
		isReasoning := strings.EqualFold(t.name, tag) || strings.EqualFold(t.name, "think")
		if isReasoning && !t.closing && slices.ContainsFunc(tags[i:], closes(t)) && !slices.Contains(complete, t.name) {
			complete = append(complete, t.name)
		}
	}
	return complete
}

func isCJK(r rune) bool {
	return r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
