package sparkd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// hashedText is what TokenizerHash tokenises: words, numbers, blanks, other scripts, bytes
// that merge in some vocabularies, and control tokens of several families.
const hashedText = "The quick brown fox: 12345 + 67,890.5\n\n\tdef f(x):\n        return x  # naïve 東京 Привет 🙂 " +
	"\u00a0<action>go to shelf 1</action> <|im_start|><|im_end|><|endoftext|></s>[INST]"

// TokenizerHash returns a hash of how an engine tokenises a fixed text, with control
// tokens and without. It is equal for engines of one model and differs where a tokenizer
// differs in what this text meets. The argument is Engine.Tokenize, or what does the same.
func TokenizerHash(
	ctx context.Context, tokenize func(ctx context.Context, text string, control bool) ([]Token, error),
) (string, error) {
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
