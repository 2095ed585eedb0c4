package sampler

import (
	"context"
	"slices"

	"sparkd"
)

// chat turns conversations into tokens with one engine's tokenizer. The pieces of the template are tokenised once.
type chat struct {
	engine sparkd.Engine
	info   sparkd.EngineInfo
	end    []sparkd.Token // between an answer and the next user text
	prompt []sparkd.Token // after that
}

func newChat(ctx context.Context, e sparkd.Engine, t Template) (*chat, error) {
	c := &chat{engine: e, info: e.Describe()}
	var err error
	if c.end, err = e.Tokenize(ctx, t.next[0], true); err != nil {
		return nil, err
	}
	c.prompt, err = e.Tokenize(ctx, t.next[1], true)
	return c, err
}

// full reports whether so many tokens leave no room for another one.
func (c *chat) full(tokens int) bool {
	return c.info.ContextLength > 0 && tokens >= c.info.ContextLength
}

// opening returns the tokens of an opening's parts, with a BOS in front where the model
// expects one and the template wrote none.
func (c *chat) opening(ctx context.Context, parts []Part) ([]sparkd.Token, error) {
	var out []sparkd.Token
	for _, p := range parts {
		ids, err := c.engine.Tokenize(ctx, p.Text, p.Control)
		if err != nil {
			return nil, err
		}
		out = append(out, ids...)
	}
	if bos := c.info.BOS; c.info.AddBOS && bos >= 0 && (len(out) == 0 || out[0] != bos) {
		out = slices.Insert(out, 0, bos)
	}
	return out, nil
}

// turn returns the tokens that follow an answer which ends with the token last: the
// rest of the end of its turn, the user text, and the next generation prompt.
func (c *chat) turn(ctx context.Context, last sparkd.Token, user string) ([]sparkd.Token, error) {
	ids, err := c.engine.Tokenize(ctx, user, false)
	if err != nil {
		return nil, err
	}
	return slices.Concat(c.ending(last), ids, c.prompt), nil
}

// ending returns what is missing of the end of an assistant's turn after the token
// last: an end-of-turn token that the model sampled itself is not repeated.
func (c *chat) ending(last sparkd.Token) []sparkd.Token {
	if last >= 0 && (last == c.info.EOT || last == c.info.EOS) {
		if i := slices.Index(c.end, last); i >= 0 {
			return c.end[i+1:]
		}
	}
	return c.end
}
