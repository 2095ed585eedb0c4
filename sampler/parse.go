package sampler

import (
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
	action := findPairs(output, "action")
	explore, think := findPairs(output, tag), findPairs(output, "think")
	if strings.EqualFold(tag, "think") {
		explore = pairs{}
	}
	a := Answer{Tags: completeTags(output, tag, fold)}
	if action.count == 1 {
		a.Action = strings.TrimSpace(action.content)
	}
	reasoning := explore
	if think.count > 0 {
		reasoning = think
	}
	a.Valid = a.Action != "" && explore.count+think.count == 1 &&
		strings.TrimSpace(reasoning.content) != "" && reasoning.start < action.start &&
		!strings.ContainsFunc(output, isCJK)
	return a
}

// pairs are the occurrences of <name>…</name>, found as a regular expression would find
// them: leftmost, shortest, without overlap, ignoring case.
type pairs struct {
	count   int
	start   int    // of the first
	content string // of the first
}

func findPairs(s, name string) pairs {
	var p pairs
	for at := 0; ; {
		open := nextTag(s, at, name, false)
		if open < 0 {
			return p
		}
		begin := open + len(name) + 2
		end := nextTag(s, begin, name, true)
		if end < 0 {
			return p
		}
		if p.count == 0 {
			p.start, p.content = open, s[begin:end]
		}
		p.count++
		at = end + len(name) + 3
	}
}

// nextTag returns the index of the first <name> or </name> in s at or after from, in any case, or -1.
func nextTag(s string, from int, name string, closing bool) int {
	for i := from; ; i++ {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			return -1
		}
		i += j
		if spelled, isClosing := tagAt(s, i, name); spelled != "" && isClosing == closing {
			return i
		}
	}
}

// tagAt returns the name of the tag that stands at s[i:] as it is spelled there, or ""
// if it is not a tag of that name in any case.
func tagAt(s string, i int, name string) (spelled string, closing bool) {
	rest := s[i+1:]
	if strings.HasPrefix(rest, "/") {
		rest, closing = rest[1:], true
	}
	if len(rest) <= len(name) || rest[len(name)] != '>' || !strings.EqualFold(rest[:len(name)], name) {
		return "", false
	}
	return rest[:len(name)], closing
}

// completeTags lists the spellings of tag and of "think" that open and close.
func completeTags(s, tag string, fold bool) []string {
	type open struct {
		spelled string
		closed  bool
	}
	var seen []open
	for i := 0; i < len(s); i++ {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			break
		}
		i += j
		spelled, closing := tagAt(s, i, tag)
		if spelled == "" {
			spelled, closing = tagAt(s, i, "think")
		}
		if spelled == "" {
			continue
		}
		known := false
		for k := range seen {
			o := &seen[k]
			known = known || o.spelled == spelled
			if closing && (o.spelled == spelled || fold && strings.EqualFold(o.spelled, spelled)) {
				o.closed = true
			}
		}
		if !closing && !known {
			seen = append(seen, open{spelled: spelled})
		}
	}
	var tags []string
	for _, o := range seen {
		if o.closed {
			tags = append(tags, o.spelled)
		}
	}
	return tags
}

func isCJK(r rune) bool {
	return r >= 0x1100 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}
