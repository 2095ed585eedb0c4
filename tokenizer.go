package sparkd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
)

// Tokenize is Engine.Tokenize, or what does the same.
type Tokenize func(ctx context.Context, text string, control bool) ([]Token, error)

// hashedText is what TokenizerHash tokenises: words, numbers, blanks, other scripts, bytes
// that merge in some vocabularies, and control tokens of several families.
const hashedText = "The quick brown fox: 12345 + 67,890.5\n\n\tdef f(x):\n        return x  # naïve 東京 Привет 🙂 " +
	"\u00a0<action>go to shelf 1</action> <|im_start|><|im_end|><|endoftext|></s>[INST]"

// TokenizerHash returns a hash of how an engine tokenises a fixed text, with control
// tokens and without. It is equal for engines of one model and differs where a tokenizer
// differs in what this text meets.
func TokenizerHash(ctx context.Context, tokenize Tokenize) (string, error) {
	h := sha256.New()
	for _, control := range []bool{false, true} {
		ids, err := tokenize(ctx, hashedText, control)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, control, ids)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// sentinels are texts that hardly any tokenizer joins with what follows: one of them with most texts.
var sentinels = []string{"\n", "|", "a"}

// Behind returns what tokenises as t does where other text stands in front. SentencePiece takes what it is given for
// the beginning of a text and puts a blank in front (add_dummy_prefix, in a GGUF tokenizer.ggml.add_space_prefix), so a
// text that is tokenised in pieces would have a blank at every border. So text is tokenised behind a sentinel, whose
// ids are dropped. Where every sentinel would be joined with the text it is tokenised alone. The ids of sentinels are
// asked for once.
func (t Tokenize) Behind() Tokenize {
	type sentinel struct {
		text    string
		control bool
	}
	var heads sync.Map // of a sentinel: its ids
	head := func(ctx context.Context, s sentinel) ([]Token, error) {
		if ids, ok := heads.Load(s); ok {
			return ids.([]Token), nil
		}
		ids, err := t(ctx, s.text, s.control)
		if err == nil {
			heads.Store(s, ids)
		}
		return ids, err
	}
	return func(ctx context.Context, text string, control bool) ([]Token, error) {
		if text == "" {
			return nil, nil
		}
		for _, s := range sentinels {
			head, err := head(ctx, sentinel{s, control})
			if err != nil {
				return nil, err
			}
			whole, err := t(ctx, s+text, control)
			if err != nil {
				return nil, err
			}
			if n := len(head); 0 < n && n < len(whole) && slices.Equal(whole[:n], head) {
				return whole[n:], nil
			}
		}
		return t(ctx, text, control)
	}
}
