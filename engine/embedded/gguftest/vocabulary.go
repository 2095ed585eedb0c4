package gguftest

import (
	"slices"
	"unicode/utf8"
)

// Vocabulary is a tokenizer by its kind; nil fields are left out of the file.
type Vocabulary struct {
	Model   string   // tokenizer.ggml.model: "gpt2", "llama", "t5" …
	Pre     string   // tokenizer.ggml.pre; "" leaves it out
	Blank   bool     // a blank stands in front of every text
	NoBytes bool     // SentencePiece: leave the tokens of bytes out
	Control []string // control tokens, from 3 on
	Words   []string // ordinary tokens; those of byte pairs may be spelled as they are
	Replace map[string]any
}

// Shape returns a model that has the vocabulary. Tokens 0 to 2 are <unk>, <s> and </s>.
func (v Vocabulary) Shape() Shape {
	tokens := slices.Concat([]string{"<unk>", "<s>", "</s>"}, v.Control)
	types := slices.Repeat([]int32{control}, len(tokens))
	types[0] = unknown
	add := func(kind int32, words ...string) {
		for _, w := range words {
			if !slices.Contains(tokens, w) {
				tokens, types = append(tokens, w), append(types, kind)
			}
		}
	}
	var merges []string
	if v.Model == "gpt2" {
		add(normal, byteSpellings()...)
		for _, w := range v.Words {
			merges = append(merges, joined(spelled(w), func(part string) { add(normal, part) })...)
		}
	} else {
		if !v.NoBytes && v.Model == "llama" {
			for b := range 256 {
				add(byteToken, "<0x"+string("0123456789ABCDEF"[b>>4])+string("0123456789ABCDEF"[b&15])+">")
			}
		}
		add(normal, "▁")
		for r := '!'; r <= '~'; r++ {
			add(normal, string(r))
		}
		for _, w := range v.Words {
			joined(w, func(part string) { add(normal, part) })
		}
	}
	scores := make([]float32, len(tokens))
	for i, w := range tokens { // longer ones are likelier than their parts
		scores[i] = -20/float32(utf8.RuneCountInString(w)) - float32(i)/1000
	}
	meta := map[string]any{
		"tokenizer.ggml.model": v.Model, "tokenizer.ggml.pre": nil, "tokenizer.ggml.tokens": tokens,
		"tokenizer.ggml.token_type": types, "tokenizer.ggml.scores": scores, "tokenizer.ggml.merges": nil,
		"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
		"tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.add_space_prefix": v.Blank,
	}
	if v.Pre != "" {
		meta["tokenizer.ggml.pre"] = v.Pre
	}
	if v.Model == "gpt2" {
		meta["tokenizer.ggml.merges"], meta["tokenizer.ggml.scores"] = merges, nil
	}
	for key, value := range v.Replace {
		meta[key] = value
	}
	return Shape{Vocabulary: len(tokens), Metadata: meta}
}

// joined makes a word of its letters from the left, and returns the merges.
func joined(word string, part func(string)) (merges []string) {
	for at, r := range word {
		end := at + utf8.RuneLen(r)
		part(word[at:end])
		if at > 0 {
			merges = append(merges, word[:at]+" "+word[at:end])
			part(word[:end])
		}
	}
	return merges
}

// spelled is a text in the spelling of byte pairs.
func spelled(text string) (s string) {
	spellings := byteSpellings()
	for i := range len(text) {
		s += spellings[text[i]]
	}
	return s
}
