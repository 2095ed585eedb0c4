package sampler

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sparkd"
)

// chat turns conversations into tokens with one engine's tokenizer.
type chat struct {
	tokenize sparkd.Tokenize
	behind   sparkd.Tokenize // where other text stands in front
	limit    time.Duration   // for the tokens of a turn or an opening
	info     sparkd.EngineInfo
	template Template
	end      int          // tokens of what ends an answer and opens the next user text
	stop     sparkd.Token // the control token that ends an answer; -1: there is none
	midway   bool         // stop ends parts of an answer, too
}

func newChat(ctx context.Context, e sparkd.Engine, t Template, limit time.Duration) (*chat, error) {
	c := &chat{tokenize: abandonable(e.Tokenize), limit: limit, info: e.Describe(), template: t}
	c.behind = c.tokenize.Behind()
	end, err := c.behind(ctx, t.next[0], true)
	if err != nil {
		return nil, err
	}
	c.end = len(end)
	if c.stop, err = turnEnd(ctx, e, t.next[0]); err != nil {
		return nil, err
	}
	c.midway, err = hasMessages(ctx, e)
	return c, err
}

// hasMessages reports whether answers come in several messages, each with an end, the last with another: gpt-oss thinks
// in one and answers in the next.
func hasMessages(ctx context.Context, e sparkd.Engine) (bool, error) {
	ids, err := e.Tokenize(ctx, "<|return|><|call|>", true)
	return len(ids) == 2, err
}

// turnEnd returns the control token at the head of end, which a model that was trained with the template draws when its
// turn is over, or -1.
func turnEnd(ctx context.Context, e sparkd.Engine, end string) (sparkd.Token, error) {
	ids, err := e.Tokenize(ctx, strings.TrimSpace(end), true)
	if err != nil || len(ids) == 0 {
		return -1, err
	}
	head, info := ids[0], e.Describe()
	if head == info.EOT || head == info.EOS {
		return head, nil
	}
	word, err := e.Detokenize(ctx, ids[:1])
	if err != nil {
		return -1, err
	}
	spelled, err := e.Tokenize(ctx, word, true)
	if err != nil || !slices.Equal(spelled, ids[:1]) {
		return -1, err
	}
	plain, err := e.Tokenize(ctx, word, false)
	if err != nil || slices.Contains(plain, head) {
		return -1, err
	}
	return head, nil
}

// stops returns the tokens that end an answer besides those that the engine ends it with: a GGUF may say that the end
// of its turn is another token than its template's, and the answer would run on.
func (c *chat) stops(ids []sparkd.Token) []sparkd.Token {
	switch {
	case c.stop < 0 || c.midway || c.stop == c.info.EOT || c.stop == c.info.EOS || slices.Contains(ids, c.stop):
	case !c.info.Capabilities.TokenExact || len(ids) >= sparkd.MaxStopTokens:
	default:
		return append(slices.Clone(ids), c.stop)
	}
	return ids
}

// full reports whether so many tokens leave no room for another one.
func (c *chat) full(tokens int) bool {
	return c.info.ContextLength > 0 && tokens >= c.info.ContextLength
}

// opening returns the tokens of an opening's parts, with a BOS in front where the model
// expects one and the template wrote none.
func (c *chat) opening(ctx context.Context, parts []Part) ([]sparkd.Token, error) {
	out, err := c.tokens(ctx, c.tokenize, parts)
	if bos := c.info.BOS; err == nil && c.info.AddBOS && bos >= 0 && (len(out) == 0 || out[0] != bos) {
		out = slices.Insert(out, 0, bos)
	}
	return out, err
}

// turn returns the tokens that follow an answer: what it lacks of the end of its turn, the user text, and the next
// generation prompt.
func (c *chat) turn(ctx context.Context, answer []sparkd.Token, finish sparkd.FinishReason, user string) (
	[]sparkd.Token, error,
) {
	ids, err := c.tokens(ctx, c.behind, c.template.Turn(user))
	return ids[c.said(answer, finish, ids):], err
}

// tokens returns the ids of parts. They are tokenised as one text: what a model saw in training, where tokens may reach
// over the border of a message. A message that spells out control tokens is tokenised apart, as the plain text that it
// is, and so are then the others; first tokenises what stands at the front.
func (c *chat) tokens(ctx context.Context, first sparkd.Tokenize, parts []Part) ([]sparkd.Token, error) {
	bytes := 0
	for _, p := range parts {
		bytes += len(p.Text)
	}
	return patiently(ctx, c.limit, bytes, func(ctx context.Context) ([]sparkd.Token, error) {
		return c.together(ctx, first, parts)
	})
}

func (c *chat) together(ctx context.Context, first sparkd.Tokenize, parts []Part) ([]sparkd.Token, error) {
	var whole strings.Builder
	for _, p := range parts {
		whole.WriteString(p.Text)
		if p.Control {
			continue
		}
		if harmless, err := c.harmless(ctx, p.Text); err != nil {
			return nil, err
		} else if !harmless {
			return c.apart(ctx, first, parts)
		}
	}
	return first(ctx, whole.String(), true)
}

// harmless reports whether text spells out no control token.
func (c *chat) harmless(ctx context.Context, text string) (bool, error) {
	plain, err := c.tokenize(ctx, text, false)
	if err != nil {
		return false, err
	}
	control, err := c.tokenize(ctx, text, true)
	return slices.Equal(plain, control), err
}

// apart returns the ids of each part, one after the other.
func (c *chat) apart(ctx context.Context, tokenize sparkd.Tokenize, parts []Part) ([]sparkd.Token, error) {
	var out []sparkd.Token
	for _, p := range parts {
		ids, err := tokenize(ctx, p.Text, p.Control)
		if err != nil {
			return nil, err
		}
		out, tokenize = append(out, ids...), c.behind
	}
	return out, nil
}

// said returns how many of the tokens that follow an answer it has said itself. The end of a turn stands there once:
// where what follows begins as the answer ends, it goes on behind that, whatever token the model calls its end. Of an
// answer that was cut off this is believed for control tokens alone: plain text may end by chance as the template goes
// on.
func (c *chat) said(answer []sparkd.Token, finish sparkd.FinishReason, following []sparkd.Token) int {
	end := following[:min(c.end, len(following))]
	for n := min(len(answer), len(end)); n > 0; n-- {
		tail := answer[len(answer)-n:]
		meant := finish == sparkd.FinishStop || c.stop >= 0 && slices.Contains(tail, c.stop)
		if meant && slices.Equal(tail, end[:n]) {
			return n
		}
	}
	if len(answer) == 0 { // as a server returns it that keeps the stop token to itself
		return 0
	}
	// A template may write blanks in front of the token that the model draws at once.
	if last := answer[len(answer)-1]; last >= 0 && (last == c.stop || last == c.info.EOT || last == c.info.EOS) {
		return slices.Index(end, last) + 1
	}
	return 0
}

// controlWord is how control tokens look that are nothing else.
var controlWord = regexp.MustCompile(`<\|[^<>|\s]{1,64}\|>|<｜[^<>｜\s]{1,64}｜>`)

// ControlWarnings says which control tokens the template spells out that are none of the engine's: the model sees them
// as plain text, which it never saw in training.
func ControlWarnings(ctx context.Context, e sparkd.Engine, t Template) (warnings []string, err error) {
	var words []string
	for _, piece := range slices.Concat(t.opening[:], t.bare[:], t.next[:]) {
		words = append(words, controlWord.FindAllString(piece, -1)...)
	}
	slices.Sort(words)
	for _, w := range slices.Compact(words) {
		ids, err := e.Tokenize(ctx, w, true)
		if err != nil {
			return nil, err
		}
		if len(ids) != 1 {
			warnings = append(warnings, fmt.Sprintf("the chat template writes %s, which is no token of the model: "+
				"the model reads it as text, in %d tokens", w, len(ids)))
		}
	}
	return warnings, nil
}
