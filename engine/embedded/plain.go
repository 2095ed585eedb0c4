//go:build cgo

package embedded

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sparkd"
)

// tokenize returns the ids of s. Of plain text none is a control token's, whatever the vocabulary: gpt-oss's are
// ordinary ones to llama.cpp, and SentencePiece joins letters to whatever has a text. Such words are cut behind their
// first letter and the pieces tokenised apart.
func (m *model) tokenize(s string, control bool) ([]sparkd.Token, error) {
	ids, err := m.encode(s, control)
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
		ids, err = m.apart(cutWords(s, words))
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

// apart returns the ids of pieces of one text.
func (m *model) apart(pieces []string) (ids []sparkd.Token, err error) {
	tokenize := sparkd.Tokenize(func(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
		return m.encode(text, control)
	})
	for i, piece := range pieces {
		next := tokenize
		if i > 0 {
			next = tokenize.Behind
		}
		more, err := next(context.Background(), piece, false)
		if err != nil {
			return nil, err
		}
		ids = append(ids, more...)
	}
	return ids, nil
}
