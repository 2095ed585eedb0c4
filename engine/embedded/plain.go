//go:build cgo

package embedded

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"sparkd"
)

// tokenize returns the ids of s. Of plain text none is a control token's, whatever the vocabulary: gpt-oss's are
// ordinary ones to llama.cpp, and SentencePiece joins letters to whatever has a text. Such words are cut behind their
// first letter and the pieces tokenised apart.
func (m *model) tokenize(s string, control bool) ([]sparkd.Token, error) {
	if len(s) > 16<<20 {
		return nil, sparkd.Invalid("text", "at most 16 MiB at a time", "text of %d bytes", len(s))
	}
	pieces := []string{s}
	if m.bytePairs {
		pieces = cutRuns(s)
	}
	ids, err := m.apart(pieces, control)
	if control {
		return ids, err
	}
	var words []string
	for err == nil {
		more := m.controlWords(ids, words)
		if len(more) == len(words) {
			break
		}
		words = more
		var cut []string
		for _, piece := range pieces {
			cut = append(cut, cutWords(piece, words)...)
		}
		ids, err = m.apart(cut, false)
	}
	return ids, err
}

// controlWords returns words together with those of the control tokens among ids that can be cut.
func (m *model) controlWords(ids []sparkd.Token, words []string) []string {
	for _, id := range ids {
		word := string(m.pieces[id])
		if m.control[id] && utf8.RuneCountInString(word) > 1 && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// cutWords cuts s behind the first letter of each of the words.
func cutWords(s string, words []string) (pieces []string) {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = regexp.QuoteMeta(w)
	}
	from := 0
	for _, at := range regexp.MustCompile(strings.Join(quoted, "|")).FindAllStringIndex(s, -1) {
		_, letter := utf8.DecodeRuneInString(s[at[0]:])
		pieces, from = append(pieces, s[from:at[0]+letter]), at[0]+letter
	}
	return append(pieces, s[from:])
}

// longestRun is how many characters of one kind may follow one another. llama.cpp splits text for byte pairs with
// std::regex, which goes a level deeper into the stack with each character of a match, and some 50,000 levels end the
// process.
const longestRun = 1024

// kinds are those of characters that the patterns of pre-tokenizers repeat.
var kinds = []func(rune) bool{
	unicode.IsSpace,
	unicode.IsNumber,
	func(r rune) bool { return unicode.In(r, unicode.L, unicode.M) },
	func(r rune) bool { return !unicode.IsSpace(r) && !unicode.In(r, unicode.L, unicode.N) },
}

// cutRuns cuts s where a run of characters of one kind is too long.
func cutRuns(s string) (pieces []string) {
	if len(s) <= longestRun {
		return []string{s}
	}
	from, runs := 0, make([]int, len(kinds))
	for at, r := range s {
		longest := 0
		for i, is := range kinds {
			if runs[i]++; !is(r) {
				runs[i] = 0
			}
			longest = max(longest, runs[i])
		}
		if longest > longestRun {
			pieces, from = append(pieces, s[from:at]), at
			clear(runs)
		}
	}
	return append(pieces, s[from:])
}

// apart returns the ids of pieces of one text.
func (m *model) apart(pieces []string, control bool) (ids []sparkd.Token, err error) {
	tokenize := sparkd.Tokenize(func(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
		return m.encode(text, control)
	})
	next, behind := tokenize, tokenize.Behind()
	for _, piece := range pieces {
		more, err := next(context.Background(), piece, control)
		if err != nil {
			return nil, err
		}
		ids, next = append(ids, more...), behind
	}
	return ids, nil
}
