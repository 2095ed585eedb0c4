package ollama

import (
	"slices"
	"strings"

	"sparkd"
	"sparkd/engine/remote"
)

// reader puts a continuation together from the pieces of a stream.
type reader struct {
	answer
	words *vocabulary
	asked remote.Ask
	model string
	done  bool
	total int  // tokens that the server counts, an end of turn among them
	lost  bool // tokens and logprobs cannot be matched
}

// add reads a piece.
func (r *reader) add(p piece) error {
	if p.Model != r.model {
		return remote.AnotherModel("the server", p.Model, r.model)
	}
	if p.Thinking != "" {
		return sparkd.Errorf(sparkd.CodeEngine, "the server takes the model's thoughts out of a raw continuation")
	}
	before := len(r.Text)
	if err := r.addText(p.Response, p.Logprobs); err != nil {
		return err
	}
	if p.Done {
		r.done, r.Stopped, r.prompt, r.total = true, p.DoneReason == "stop", p.PromptEvalCount, p.EvalCount
		if p.Cached != nil {
			r.counted, r.cached = true, max(0, min(*p.Cached, r.prompt))
		}
	}
	return r.findStop(before)
}

// addText appends a piece of text and finds its tokens: one per logprob, whose text they
// spell, or those of the text where the server holds back the halves of a character.
func (r *reader) addText(text string, probs []logprob) error {
	if text == "" {
		return nil
	}
	if r.asked.Top > 0 && (len(probs) == 0 || len(probs) > len(text)) {
		return sparkd.Errorf(sparkd.CodeEngine, "the server returned %d logprobs for %q", len(probs), text)
	}
	ids := r.spelled(text, probs)
	if ids == nil {
		var err error
		if ids, err = r.words.encode(text, false); err != nil {
			return err
		}
	}
	r.Text += text
	r.Tokens = append(r.Tokens, ids...)
	if len(ids) != len(probs) {
		r.lost = true
		return nil
	}
	for _, p := range probs {
		if p.Logprob == nil {
			return sparkd.Errorf(sparkd.CodeEngine, "the server reports no logprob for %q", p.Token)
		}
		var tops []float64
		for _, t := range p.Tops {
			if t.Logprob != nil {
				tops = append(tops, *t.Logprob)
			}
		}
		r.Logprobs, r.Tops = append(r.Logprobs, *p.Logprob), append(r.Tops, tops)
	}
	return nil
}

// spelled returns the tokens whose texts the logprobs name, or nil where those are not all
// tokens of the model or do not make up the text.
func (r *reader) spelled(text string, probs []logprob) []sparkd.Token {
	var ids []sparkd.Token
	for _, p := range probs {
		id, ok := r.words.byPiece[p.Token]
		if !ok || !strings.HasPrefix(text, p.Token) {
			return nil
		}
		text = text[len(p.Token):]
		ids = append(ids, id)
	}
	if text != "" {
		return nil
	}
	return ids
}

// findStop ends the text behind the first stop string that ends in what was added.
func (r *reader) findStop(before int) error {
	if end := remote.StopEnd(r.Text, r.asked.Sampling.Stop, before); end >= 0 {
		r.Text = r.Text[:end]
		return errFound
	}
	return nil
}

// whole returns the continuation. A token that is neither in the text nor the end of the turn (a control token in
// the middle) shows in the server's count alone, from the versions on that count exactly; then the logprobs are of
// other tokens than those that are known.
func (r *reader) whole(eot sparkd.Token) (answer, error) {
	exact := len(r.Tokens)
	if r.Stopped && !r.found {
		exact++
	}
	if r.lost || !r.found && r.counted && r.total != exact {
		r.Logprobs, r.Tops = nil, nil
	}
	if slices.ContainsFunc(r.Tops, func(tops []float64) bool { return len(tops) == 0 }) {
		r.Tops = nil
	}
	if len(r.Tokens) > 0 {
		return r.answer, nil
	}
	if !r.Stopped || eot < 0 {
		return answer{}, sparkd.Errorf(sparkd.CodeEngine, "the server returned an empty continuation")
	}
	r.Tokens = []sparkd.Token{eot}
	return r.answer, nil
}
