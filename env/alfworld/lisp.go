package alfworld

import (
	"iter"
	"slices"
	"strconv"
	"strings"

	"sparkd"
)

// expr is a PDDL expression: a word, or a list if list is not nil. Words are in lower
// case, as PDDL takes no notice of case.
type expr struct {
	word string
	list []expr
}

// maxNesting bounds the depth of parentheses; ALFWorld's goals have a dozen.
const maxNesting = 100

// head returns the first word of a list.
func (e *expr) head() string {
	if len(e.list) == 0 {
		return ""
	}
	return e.list[0].word
}

// words returns the words of a list, from the from-th on; ok is false if there is a list among them.
func (e *expr) words(from int) (words []string, ok bool) {
	for _, x := range e.list[min(from, len(e.list)):] {
		if x.list != nil {
			return nil, false
		}
		words = append(words, x.word)
	}
	return words, true
}

// typedNames goes through the words of a typed list, "a b - object c - receptacle": the names before each type.
// Words without a type come last, with the kind "".
func typedNames(words []string) iter.Seq2[kind, []string] {
	return func(yield func(kind, []string) bool) {
		for len(words) > 0 {
			n := slices.Index(words, "-")
			if n < 0 || n+1 == len(words) {
				yield("", words)
				return
			}
			if !yield(kind(words[n+1]), words[:n]) {
				return
			}
			words = words[n+2:]
		}
	}
}

// equal compares two expressions.
func (e expr) equal(o expr) bool {
	return e.word == o.word && (e.list == nil) == (o.list == nil) && slices.EqualFunc(e.list, o.list, expr.equal)
}

// String writes e as PDDL.
func (e *expr) String() string {
	if e.list == nil {
		return e.word
	}
	parts := make([]string, len(e.list))
	for i := range e.list {
		parts[i] = e.list[i].String()
	}
	return "(" + strings.Join(parts, " ") + ")"
}

// parseLisp reads one expression as fast-downward's lisp_parser.py does: comments start
// with ";", a "?" starts a word, only ASCII. field names the text in errors.
func parseLisp(field, text string) (expr, error) {
	bad := func(line int, format string, args ...any) (expr, error) {
		e := sparkd.Invalid(field, "it must be PDDL as ALFWorld writes it; download or generate the game again", format,
			args...)
		e.Message += " (line " + strconv.Itoa(line) + ")"
		return expr{}, e
	}
	open := [][]expr{nil} // lists that are not closed yet; the outermost collects the result
	line := 1
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ';':
			comment, _, _ := strings.Cut(text[i:], "\n")
			i += len(comment)
		case isBlank(c):
			i++
		case c == '(':
			if len(open) > maxNesting {
				return bad(line, "more than %d parentheses inside each other", maxNesting)
			}
			open = append(open, []expr{})
			i++
		case c == ')':
			last := len(open) - 1
			if last == 0 {
				return bad(line, "a closing parenthesis too many")
			}
			open[last-1] = append(open[last-1], expr{list: open[last]})
			open = open[:last]
			i++
		case c >= 0x80:
			return bad(line, "a character that is not ASCII")
		default:
			n := wordLength(text[i:])
			open[len(open)-1] = append(open[len(open)-1], expr{word: strings.ToLower(text[i : i+n])})
			i += n
		}
	}
	switch {
	case len(open) > 1:
		return bad(line, "the text ends in the middle: %d parentheses are not closed", len(open)-1)
	case len(open[0]) != 1 || open[0][0].list == nil:
		return bad(line, "want one expression in parentheses, got %d expressions", len(open[0]))
	}
	return open[0][0], nil
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' || 0x1c <= c && c <= 0x1f }

// wordLength returns the length of the word at the start of text.
func wordLength(text string) int {
	for i := range len(text) {
		c := text[i]
		if i > 0 && c == '?' || c == '(' || c == ')' || c == ';' || c >= 0x80 || isBlank(c) {
			return i
		}
	}
	return len(text)
}
