package ollama

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ollama/ollama/tokenizer"

	"sparkd"
)

// vocabulary is the tokenizer of a model, rebuilt from what /api/show tells of its GGUF.
type vocabulary struct {
	texts []string // of all tokens
	kinds []int32  // as the GGUF numbers them
	inner tokens   // of ordinary text

	control  []sparkd.Token          // whose text the server reads as them, longest first
	added    []sparkd.Token          // the same for those that users defined, in any text
	byPiece  map[string]sparkd.Token // ordinary tokens by their text
	bos, eos sparkd.Token            // -1: none
	eot      sparkd.Token            // end of a turn
	addBOS   bool
}

// tokens is a kind of tokenizer.
type tokens interface {
	encode(text string) ([]sparkd.Token, error)
	// decode returns the text of a token that is spelled so in the GGUF.
	decode(id sparkd.Token, token string) (string, error)
}

// newVocabulary reads the field model_info of /api/show in its verbose form. What is
// missing there, or is of a kind that is not known here, is an error of code engine.
func newVocabulary(info map[string]any) (*vocabulary, error) {
	m := metadata(info)
	v := &vocabulary{texts: m.texts("tokens"), kinds: m.ids("token_type"), bos: m.id("bos_token_id"),
		eos: m.id("eos_token_id"), eot: m.id("eot_token_id")}
	if len(v.texts) == 0 || len(v.kinds) != len(v.texts) {
		return nil, unusable("it tells %d tokens and %d of their types", len(v.texts), len(v.kinds))
	}
	if v.eot < 0 {
		v.eot = v.eos
	}
	for _, id := range []sparkd.Token{v.bos, v.eos, v.eot} {
		if int(id) >= len(v.texts) {
			return nil, unusable("control token %d is none of the %d tokens", id, len(v.texts))
		}
	}
	var err error
	if v.inner, err = v.ordinary(m); err != nil {
		return nil, err
	}
	added, said := info[prefix+"add_bos_token"].(bool)
	v.addBOS = v.bos >= 0 && (added || !said && addsBOS(m))
	return v, v.index()
}

// ordinary returns the tokenizer of text without control tokens.
func (v *vocabulary) ordinary(m metadata) (tokens, error) {
	texts := slices.Clone(v.texts)
	for i, kind := range v.kinds {
		if kind == tokenizer.TOKEN_TYPE_CONTROL {
			texts[i] = "" // no text makes it
		}
	}
	switch kind := m.text("model"); kind {
	case "gpt2":
		b := newBytePairs(m, texts)
		if b == nil || len(b.ranks) == 0 {
			return nil, unusable("its tokenizer splits text in the way %q and has %d merges", m.text("pre"),
				len(m.texts("merges")))
		}
		return b, nil
	case "llama":
		scores := m.scores("scores")
		if len(scores) != len(texts) || len(texts) < 256 {
			return nil, unusable("it tells %d scores of %d tokens", len(scores), len(texts))
		}
		types := slices.Repeat([]int32{tokenizer.TOKEN_TYPE_NORMAL}, len(texts))
		words := &tokenizer.Vocabulary{Values: texts, Types: types, Scores: scores}
		return sentencePiece{tokenizer.NewSentencePiece(words)}, nil
	default:
		return nil, unusable("its tokenizer is of the kind %q; gpt2 and llama are known", kind)
	}
}

// sentencePiece is Ollama's tokenizer of that kind.
type sentencePiece struct{ tokenizer.SentencePiece }

func (s sentencePiece) encode(text string) ([]sparkd.Token, error) { return s.Encode(text, false) }

func (s sentencePiece) decode(id sparkd.Token, _ string) (string, error) {
	return s.Decode([]int32{id})
}

// unusable is a model whose tokenizer cannot be rebuilt.
func unusable(format string, args ...any) error {
	return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model",
		Message: "the model's tokenizer cannot be rebuilt: " + fmt.Sprintf(format, args...),
		Remedy:  "serve the GGUF with llama-server, which tokenises itself, or with the embedded engine"}
}

// index finds the texts of all tokens, and which of them are read as such.
func (v *vocabulary) index() error {
	v.byPiece = make(map[string]sparkd.Token, len(v.texts))
	texts := slices.Clone(v.texts)
	for i, kind := range v.kinds {
		id := sparkd.Token(i)
		switch {
		case texts[i] == "":
			continue
		case kind == tokenizer.TOKEN_TYPE_CONTROL:
			v.control = append(v.control, id)
			continue
		case kind == tokenizer.TOKEN_TYPE_USER_DEFINED:
			v.added = append(v.added, id)
		default:
			var err error
			if texts[i], err = v.inner.decode(id, texts[i]); err != nil {
				return sparkd.Errorf(sparkd.CodeEngine, "token %d cannot be spelled: %v", id, err)
			}
		}
		if _, taken := v.byPiece[texts[i]]; !taken && texts[i] != "" {
			v.byPiece[texts[i]] = id
		}
	}
	v.texts = texts
	longest := func(a, b sparkd.Token) int { return len(texts[b]) - len(texts[a]) }
	slices.SortStableFunc(v.control, longest)
	slices.SortStableFunc(v.added, longest)
	return nil
}

// encode returns the ids of text.
func (v *vocabulary) encode(text string, control bool) ([]sparkd.Token, error) {
	words := v.added
	if control {
		words = slices.Concat(v.control, v.added)
	}
	var ids []sparkd.Token
	for _, f := range v.cut(text, words) {
		if f.id >= 0 {
			ids = append(ids, f.id)
			continue
		}
		more, err := v.inner.encode(f.text)
		if err != nil {
			return nil, sparkd.Errorf(sparkd.CodeEngine, "the text cannot be tokenised: %v", err)
		}
		ids = append(ids, more...)
	}
	return ids, nil
}

// fragment is text, or a token that is spelled out in it.
type fragment struct {
	text string
	id   sparkd.Token // -1: text
}

// cut finds words in a text.
func (v *vocabulary) cut(text string, words []sparkd.Token) []fragment {
	if text == "" {
		return nil
	}
	out := []fragment{{text, -1}}
	for _, id := range words {
		word := v.texts[id]
		if !strings.Contains(text, word) {
			continue
		}
		var next []fragment
		for _, f := range out {
			if f.id >= 0 {
				next = append(next, f)
				continue
			}
			for i, between := range strings.Split(f.text, word) {
				if i > 0 {
					next = append(next, fragment{word, id})
				}
				if between != "" {
					next = append(next, fragment{between, -1})
				}
			}
		}
		out = next
	}
	return out
}

// decode returns the text of ids; control tokens are spelled out.
func (v *vocabulary) decode(ids []sparkd.Token) (string, error) {
	var text strings.Builder
	for i, id := range ids {
		if id < 0 || int(id) >= len(v.texts) {
			return "", sparkd.NotAToken(i, id)
		}
		text.WriteString(v.texts[id])
	}
	return text.String(), nil
}

// prompt returns the text that the server will read as a prefix, as far as it can.
func (v *vocabulary) prompt(ids []sparkd.Token) (string, error) {
	if v.addBOS && len(ids) > 0 && ids[0] == v.bos {
		ids = ids[1:] // the server adds it
	}
	text, err := v.decode(ids)
	if err != nil {
		return "", err
	}
	if text == "" {
		return "", sparkd.Invalid("prefix", "give at least one token of text",
			"Ollama takes an empty prompt for a request to load the model")
	}
	if !utf8.ValidString(text) {
		return "", sparkd.Invalid("prefix", "cut between characters, or use an engine that takes token ids",
			"the prefix spells half a character, which Ollama's text cannot hold")
	}
	for _, id := range v.control {
		word := v.texts[id]
		read := strings.Count(text, word)
		if read == 0 {
			continue
		}
		for _, have := range ids {
			if have == id {
				read--
			}
		}
		if read != 0 {
			return "", sparkd.Invalid("prefix",
				"use an engine that takes token ids, or keep such text out of the environment",
				"its text spells the control token %s, which Ollama would read as one", word)
		}
	}
	return text, nil
}
