package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ollama/ollama/api"

	"sparkd"
)

// keepAlive is how long the runner and its cache outlive a request.
const keepAlive = 30 * time.Minute

// ask is one continuation of one prompt.
type ask struct {
	prompt   string
	sampling *sparkd.Sampling
	limit    int // tokens
	seed     uint64
	context  int // num_ctx; 0 leaves it to the server
	top      int // alternatives per token; 0 asks for no logprobs
}

// answer is what came of an ask.
type answer struct {
	text     string
	tokens   []sparkd.Token
	logprobs []float64   // one per token, or none
	tops     [][]float64 // logprobs of the alternatives, best first; where there are logprobs
	stopped  bool        // by the model's end of turn or a stop string
	found    bool        // a stop string, so that the server's counts did not arrive

	prompt, cached int
	counted        bool // the server reports cached
}

// errFound ends a request whose text has reached a stop string.
var errFound = errors.New("stop string")

// generate asks for one continuation and reads it as it comes.
func (e *Engine) generate(ctx context.Context, model string, a ask) (answer, error) {
	const path = "/api/generate"
	s, r := &stream{}, &reader{words: e.words, ask: a, model: model}
	err := e.api.Generate(s.in(ctx), newRequest(model, a), r.add)
	switch {
	case errors.Is(err, errFound):
		r.found, r.stopped = true, true
	case s.err != nil:
		return answer{}, e.typed(path, s.err)
	case err != nil:
		return answer{}, e.typed(path, err)
	case !r.done:
		return answer{}, e.typed(path, errors.New("a continuation without an end"))
	default:
		r.count(s.last())
	}
	return r.whole(e.words.eot)
}

// reader puts a continuation together from the pieces of a stream.
type reader struct {
	answer
	words *vocabulary
	ask   ask
	model string
	done  bool
	told  int  // tokens that the server counts, an end of turn among them
	lost  bool // tokens and logprobs cannot be matched
}

// add reads a piece.
func (r *reader) add(p api.GenerateResponse) error {
	if p.Model != r.model {
		return &sparkd.Error{Code: sparkd.CodeEngine, Field: "engine.served_model", Message: "the server answers as " + strconv.Quote(p.Model) + " to a request for " + strconv.Quote(r.model),
			Remedy: "check whether a proxy stands in front of another server"}
	}
	if p.Thinking != "" {
		return sparkd.Errorf(sparkd.CodeEngine, "the server takes the model's thoughts out of a raw continuation")
	}
	before := len(r.text)
	if err := r.piece(p.Response, p.Logprobs); err != nil {
		return err
	}
	if p.Done {
		r.done, r.stopped, r.prompt, r.told = true, p.DoneReason == "stop", p.PromptEvalCount, p.EvalCount
	}
	return r.look(before)
}

// piece appends a piece of text and finds its tokens: one per logprob, whose text they
// spell, or those of the text where the server holds back the halves of a character.
func (r *reader) piece(text string, probs []api.Logprob) error {
	if text == "" {
		return nil
	}
	if r.ask.top > 0 && (len(probs) == 0 || len(probs) > len(text)) {
		return sparkd.Errorf(sparkd.CodeEngine, "the server returned %d logprobs for %q", len(probs), text)
	}
	ids := r.spelled(text, probs)
	if ids == nil {
		var err error
		if ids, err = r.words.encode(text, false); err != nil {
			return err
		}
	}
	r.text += text
	r.tokens = append(r.tokens, ids...)
	if len(ids) != len(probs) {
		r.lost = true
		return nil
	}
	for _, p := range probs {
		tops := make([]float64, len(p.TopLogprobs))
		for i, t := range p.TopLogprobs {
			tops[i] = t.Logprob
		}
		if !isLogprob(p.Logprob) || len(tops) > 0 && !isLogprob(tops[0]) {
			return sparkd.Errorf(sparkd.CodeEngine, "the server returned %v as the logprob of %q, and %v as the best", p.Logprob, p.Token, tops)
		}
		r.logprobs, r.tops = append(r.logprobs, p.Logprob), append(r.tops, tops)
	}
	return nil
}

// isLogprob allows for a rounding above 0.
func isLogprob(l float64) bool { return !math.IsNaN(l) && !math.IsInf(l, 0) && l <= 1e-3 }

// spelled returns the tokens whose texts the logprobs name, or nil where those are not all
// tokens of the model or do not make up the text.
func (r *reader) spelled(text string, probs []api.Logprob) []sparkd.Token {
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

// look ends the text behind the first stop string that ends in what was added.
func (r *reader) look(before int) error {
	end := -1
	for _, stop := range r.ask.sampling.Stop {
		from := max(0, before-len(stop)+1)
		if i := strings.Index(r.text[from:], stop); i >= 0 && (end < 0 || from+i+len(stop) < end) {
			end = from + i + len(stop)
		}
	}
	if end < 0 {
		return nil
	}
	r.text = r.text[:end]
	return errFound
}

// count reads the field that Ollama's client does not know from the last line.
func (r *reader) count(line []byte) {
	var last struct {
		Cached *int `json:"prompt_eval_cached_count"`
	}
	if json.Unmarshal(line, &last) == nil && last.Cached != nil {
		r.counted, r.cached = true, max(0, min(*last.Cached, r.prompt))
	}
}

// whole returns the continuation. A token that is neither in the text nor the end of the
// turn (a control token in the middle) shows in the server's count alone, from the
// versions on that count exactly; then the logprobs are of other tokens than those that
// are known.
func (r *reader) whole(eot sparkd.Token) (answer, error) {
	exact := len(r.tokens)
	if r.stopped && !r.found {
		exact++
	}
	if r.lost || !r.found && r.counted && r.told != exact {
		r.logprobs, r.tops = nil, nil
	}
	if len(r.tokens) > 0 {
		return r.answer, nil
	}
	if !r.stopped || eot < 0 {
		return answer{}, sparkd.Errorf(sparkd.CodeEngine, "the server returned an empty continuation")
	}
	r.tokens = []sparkd.Token{eot}
	return r.answer, nil
}
