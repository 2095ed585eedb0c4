package ollama

import (
	"slices"
	"strings"

	"github.com/dlclark/regexp2"

	"sparkd"
)

// bytePairs is a byte-level byte-pair tokenizer as llama.cpp reads it from a GGUF (src/llama-vocab.cpp,
// llm_tokenizer_bpe_session). Ollama's own, of its package tokenizer, joins one of several equal pairs, and not
// the first as llama.cpp does, which spells runs of one character differently.
type bytePairs struct {
	split *regexp2.Regexp
	whole bool // a word that is a token is not put together from pairs
	ids   map[string]sparkd.Token
	ranks map[[2]string]int
}

// newBytePairs returns nil where the way to split text is not known.
func newBytePairs(m metadata, tokens []string) *bytePairs {
	pattern, whole := pretokenizer(m.text("pre"))
	if pattern == "" {
		return nil
	}
	b := &bytePairs{split: regexp2.MustCompile(pattern, regexp2.RE2), whole: whole,
		ids: make(map[string]sparkd.Token, len(tokens)), ranks: map[[2]string]int{}}
	for i, token := range tokens {
		if token != "" {
			b.ids[token] = sparkd.Token(i)
		}
	}
	for rank, pair := range m.texts("merges") {
		if left, right, ok := strings.Cut(pair, " "); ok {
			b.ranks[[2]string{left, right}] = rank
		}
	}
	return b
}

func (b *bytePairs) encode(text string) ([]sparkd.Token, error) {
	var ids []sparkd.Token
	match, err := b.split.FindStringMatch(text)
	for ; match != nil && err == nil; match, err = b.split.FindNextMatch(match) {
		word := letters(match.String())
		if id, ok := b.ids[word]; ok && b.whole {
			ids = append(ids, id)
			continue
		}
		for _, part := range b.join(word) {
			ids = append(ids, b.known(part)...)
		}
	}
	return ids, err
}

// join puts a word together from its letters, the pair of the lowest rank first, and the first one of equals.
func (b *bytePairs) join(word string) []string {
	parts := strings.Split(word, "")
	ranks := make([]int, max(0, len(parts)-1)) // of the pair that begins there; -1 for none
	rank := func(i int) {
		if i < 0 || i >= len(ranks) {
			return
		}
		r, ok := b.ranks[[2]string{parts[i], parts[i+1]}]
		if !ok {
			r = -1
		}
		ranks[i] = r
	}
	for i := range ranks {
		rank(i)
	}
	for {
		best := -1
		for i, r := range ranks {
			if r >= 0 && (best < 0 || r < ranks[best]) {
				best = i
			}
		}
		if best < 0 {
			return parts
		}
		parts[best] += parts[best+1]
		parts = slices.Delete(parts, best+1, best+2)
		ranks = slices.Delete(ranks, best, best+1)
		rank(best - 1)
		rank(best)
	}
}

// known returns the token of a part, or those of its letters where there is none.
func (b *bytePairs) known(part string) []sparkd.Token {
	if id, ok := b.ids[part]; ok {
		return []sparkd.Token{id}
	}
	var ids []sparkd.Token
	for _, letter := range part {
		if id, ok := b.ids[string(letter)]; ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// decode implements tokens. A token that is not written in letters is text as it stands.
func (b *bytePairs) decode(_ sparkd.Token, token string) (string, error) {
	text := make([]byte, 0, len(token))
	for _, letter := range token {
		c, ok := byteOf[letter]
		if !ok {
			return token, nil
		}
		text = append(text, c)
	}
	return string(text), nil
}

// letterOf writes bytes as GPT-2 does: those that print as the characters of their number, the others as characters
// from 256 on (openai/gpt-2, src/encoder.py, bytes_to_unicode). byteOf is the other way round.
var letterOf, byteOf = byteLetters()

func byteLetters() (letters [256]rune, bytes map[rune]byte) {
	bytes = map[rune]byte{}
	next := rune(256)
	for c := range rune(256) {
		letters[c] = c
		if c <= ' ' || c >= 0x7F && c <= 0xA0 || c == 0xAD {
			letters[c] = next
			next++
		}
		bytes[letters[c]] = byte(c)
	}
	return letters, bytes
}

func letters(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		out.WriteRune(letterOf[c])
	}
	return out.String()
}
