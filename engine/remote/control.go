package remote

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"sparkd"
)

// Tokenizer is the routes /tokenize of vLLM and SGLang, whose tokenizers turn every control
// token that is spelled out into its id.
type Tokenizer struct {
	*OpenAI
	control control
}

// Know notes the control tokens, and the words that are none.
func (t *Tokenizer) Know(f *Files) { t.control.know(f.Special, f.Plain) }

// Tokenize implements Server.
func (t *Tokenizer) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	raw := func(text string) ([]sparkd.Token, error) { return t.ids(ctx, text, false) }
	if control {
		return raw(text)
	}
	return t.control.tokenize(text, raw)
}

// Added tokenises text with what the model expects around it.
func (t *Tokenizer) Added(ctx context.Context, text string) ([]sparkd.Token, error) {
	return t.ids(ctx, text, true)
}

func (t *Tokenizer) ids(ctx context.Context, text string, add bool) ([]sparkd.Token, error) {
	var out struct{ Tokens []sparkd.Token }
	err := t.Post(ctx, "/tokenize", map[string]any{"model": t.Model(), "prompt": text, "add_special_tokens": add}, &out)
	return out.Tokens, untokenised(err)
}

// control keeps control tokens out of text that must not have any, where the server's tokenizer turns every
// control token that is spelled out into its id: such words are cut behind their first letter, and the pieces are
// tokenised apart. The control tokens are those that the server or the model's files list and, besides, every word
// in the shape of one that turns out to be a single token, unless the files say that it is an ordinary one.
type control struct {
	listed []string
	plain  map[string]bool // in the shape of control tokens, but none

	mu     sync.Mutex
	single map[string]bool // whether a word in the shape of a control token is one
}

// shape is what control tokens look like: <|im_end|>, </s>, <start_of_turn>, [INST], <｜begin▁of▁sentence｜>.
var shape = regexp.MustCompile(`<[^<>\s]{1,64}>|\[/?[A-Z_]{2,64}\]`)

// maxWords bounds what is remembered of words.
const maxWords = 4096

// know notes the control tokens that are listed, and the words that are none, before anything is tokenised.
func (c *control) know(words []string, plain map[string]bool) {
	c.plain = plain
	for _, w := range words {
		if utf8.RuneCountInString(w) > 1 && !plain[w] {
			c.listed = append(c.listed, w)
		}
	}
}

// tokenize returns the ids of text, none of which is a control token's.
func (c *control) tokenize(text string, raw func(string) ([]sparkd.Token, error)) ([]sparkd.Token, error) {
	var out []sparkd.Token
	for text != "" {
		cut, err := c.cut(text, raw)
		if err != nil {
			return nil, err
		}
		ids, err := raw(text[:cut])
		if err != nil {
			return nil, err
		}
		out, text = append(out, ids...), text[cut:]
	}
	return out, nil
}

// cut returns where text is to be cut: inside its first control token, else at its end.
func (c *control) cut(text string, raw func(string) ([]sparkd.Token, error)) (int, error) {
	first := len(text)
	for _, w := range c.listed {
		if i := strings.Index(text, w); i >= 0 {
			first = min(first, i)
		}
	}
	for _, m := range shape.FindAllStringIndex(text, -1) {
		if m[0] >= first {
			break
		}
		single, err := c.isSingle(text[m[0]:m[1]], raw)
		if err != nil {
			return 0, err
		}
		if single {
			first = m[0]
		}
	}
	_, letter := utf8.DecodeRuneInString(text[first:])
	return first + letter, nil
}

// isSingle reports whether a word is one token of the model.
func (c *control) isSingle(word string, raw func(string) ([]sparkd.Token, error)) (bool, error) {
	if c.plain[word] {
		return false, nil
	}
	c.mu.Lock()
	single, known := c.single[word]
	c.mu.Unlock()
	if known {
		return single, nil
	}
	ids, err := raw(word)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.single == nil || len(c.single) >= maxWords {
		c.single = map[string]bool{}
	}
	c.single[word] = len(ids) == 1
	return len(ids) == 1, nil
}
