package openai

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"sparkd"
)

// vllm speaks with vLLM's server: /v1/completions with ids and vLLM's own fields
// (vllm/entrypoints/openai/completion/protocol.py), /tokenize, /detokenize, and where they
// are switched on /tokenizer_info and the routes of its development mode.
type vllm struct {
	*server
	control *control
	whole   sync.Map // of token ids: whether its text ends with a whole character
}

func (v *vllm) learn(ctx context.Context, about *sparkd.EngineInfo) error {
	about.ContextLength = v.card.MaxModelLen
	f, err := v.files(v.card.Root)
	if err != nil {
		return err
	}
	var told tokenizerInfo // with --enable-tokenizer-info-endpoint
	if _, err := v.http.Has(ctx, "/tokenizer_info", &told); err != nil {
		return err
	}
	f.fill(told)
	v.control.learn(f.special, f.plain)
	var weights struct {
		Version string `json:"weight_version"`
	}
	if ok, err := v.http.Has(ctx, "/weight_info", &weights); err != nil {
		return err
	} else if ok && weights.Version != "default" && v.version() == v.model() && weights.Version != "" {
		v.move(v.model(), weights.Version)
	}
	err = f.describe(ctx, about, v.tokenize, func(ctx context.Context, text string) ([]sparkd.Token, error) {
		return v.ids(ctx, text, true)
	})
	if err == nil && about.Vocabulary == 0 {
		about.Vocabulary, err = v.vocabulary(ctx)
	}
	if err != nil {
		return err
	}
	size, err := v.metric(ctx, blockSize)
	if n, _ := strconv.Atoi(size); n > 0 {
		about.BlockTokens = n
	}
	return err
}

// vocabulary finds the number of ids, which vLLM does not tell, by what it refuses.
func (v *vllm) vocabulary(ctx context.Context) (int, error) {
	var failed error
	n := sort.Search(1<<20, func(id int) bool {
		if failed != nil {
			return true
		}
		_, err := v.generate(ctx, ask{prefix: []sparkd.Token{sparkd.Token(id)}, n: 1, limit: 1, sampling: &sparkd.Sampling{}})
		if sparkd.CodeOf(err) == sparkd.CodeInvalid {
			return true
		}
		failed = err
		return false
	})
	return n, failed
}

// ids tokenises text, in which control tokens that are spelled out become their ids.
func (v *vllm) ids(ctx context.Context, text string, add bool) ([]sparkd.Token, error) {
	var out struct{ Tokens []sparkd.Token }
	err := v.post(ctx, "/tokenize", map[string]any{"model": v.model(), "prompt": text, "add_special_tokens": add}, &out)
	return out.Tokens, err
}

func (v *vllm) tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	raw := func(text string) ([]sparkd.Token, error) { return v.ids(ctx, text, false) }
	if control {
		return raw(text)
	}
	return v.control.tokenize(text, raw)
}

func (v *vllm) detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Prompt string }
	err := v.post(ctx, "/detokenize", map[string]any{"model": v.model(), "tokens": ids}, &out)
	return out.Prompt, err
}

// completion is the answer of /v1/completions with vLLM's fields.
type completion struct {
	Model   string
	Choices []completionChoice
	Usage   struct {
		Details *struct {
			Cached *int `json:"cached_tokens"`
		} `json:"prompt_tokens_details"` // with --enable-prompt-tokens-details
	}
}

type completionChoice struct {
	Index        int
	Text         string
	FinishReason string         `json:"finish_reason"`
	StopReason   any            `json:"stop_reason"` // a stop string, a stop token, or null for the model's own end
	TokenIDs     []sparkd.Token `json:"token_ids"`
	PromptIDs    []sparkd.Token `json:"prompt_token_ids"`
	Logprobs     *struct {
		Tokens []*float64           `json:"token_logprobs"`
		Tops   []map[string]float64 `json:"top_logprobs"` // by "token_id:7"
	}
}

func (v *vllm) generate(ctx context.Context, a ask) (answer, error) {
	var c completion
	if _, err := v.complete(ctx, v.fields(&a), &c); err != nil {
		return answer{}, err
	}
	if err := v.answersFor(c.Model); err != nil {
		return answer{}, err
	}
	out := answer{computed: a.n * len(a.prefix)}
	if d := c.Usage.Details; d != nil && d.Cached != nil {
		out.cached, out.counted = min(*d.Cached, len(a.prefix)), true
		out.computed = a.n * (len(a.prefix) - out.cached)
	}
	slices.SortStableFunc(c.Choices, func(a, b completionChoice) int { return a.Index - b.Index })
	for i := range c.Choices {
		read, err := c.Choices[i].read(&a)
		if err != nil {
			return answer{}, err
		}
		out.choices = append(out.choices, read)
	}
	return out, v.retell(ctx, &a, out.choices)
}

// fields are the request, with every parameter that has a default.
func (v *vllm) fields(a *ask) map[string]any {
	f := explicit(a)
	f["model"], f["prompt"] = v.model(), a.prefix
	f["max_tokens"] = max(a.limit, 1) // vLLM refuses 0
	f["top_k"], f["min_p"], f["repetition_penalty"] = -1, a.sampling.MinP, 1
	if a.sampling.TopK > 0 {
		f["top_k"] = a.sampling.TopK
	}
	f["stop_token_ids"] = append([]sparkd.Token{}, a.sampling.StopTokenIDs...)
	f["ignore_eos"], f["min_tokens"], f["skip_special_tokens"], f["include_stop_str_in_output"] = false, 0, false, false
	f["logprobs"], f["return_token_ids"], f["return_tokens_as_token_ids"] = a.top, true, true
	return f
}

func (c *completionChoice) read(a *ask) (choice, error) {
	if c.PromptIDs != nil && !slices.Equal(c.PromptIDs, a.prefix) {
		return choice{}, sparkd.Errorf(sparkd.CodeEngine, "the server read another prompt than the ids that it was sent")
	}
	out := choice{tokens: c.TokenIDs, text: c.Text, stopped: c.FinishReason == "stop"}
	if word, ok := c.StopReason.(string); ok && out.stopped {
		out.text += word
	}
	if c.FinishReason != "stop" && c.FinishReason != "length" {
		return out, sparkd.Errorf(sparkd.CodeEngine, "the server ended a continuation with %q", c.FinishReason)
	}
	if c.Logprobs == nil {
		return out, nil
	}
	out.logprobs = []float64{}
	for i, l := range c.Logprobs.Tokens {
		if l == nil {
			return out, sparkd.Errorf(sparkd.CodeEngine, "the server reports no logprob for token %d", i)
		}
		out.logprobs = append(out.logprobs, *l)
	}
	for _, top := range c.Logprobs.Tops {
		if a.top > 0 {
			out.tops = append(out.tops, descending(slices.Collect(maps.Values(top))))
		}
	}
	return out, nil
}

func descending(values []float64) []float64 {
	slices.Sort(values)
	slices.Reverse(values)
	return values
}

// retell has the texts of continuations made anew from their ids where the prompt ends
// inside a character: vLLM then begins the text somewhere in the prompt.
func (v *vllm) retell(ctx context.Context, a *ask, choices []choice) error {
	last := a.prefix[len(a.prefix)-1]
	whole, known := v.whole.Load(last)
	if !known {
		text, err := v.detokenize(ctx, []sparkd.Token{last})
		if err != nil {
			return err
		}
		whole = !strings.Contains(text, "\uFFFD")
		v.whole.Store(last, whole)
	}
	if whole.(bool) {
		return nil
	}
	for i := range choices {
		if err := v.spell(ctx, &choices[i], a.sampling); err != nil {
			return err
		}
	}
	return nil
}

// spell sets the text of a continuation from its ids.
func (v *vllm) spell(ctx context.Context, c *choice, p *sparkd.Sampling) error {
	text, err := v.detokenize(ctx, c.tokens)
	if err != nil {
		return err
	}
	end := -1
	for _, stop := range p.Stop {
		if i := strings.Index(text, stop); i >= 0 && (end < 0 || i+len(stop) < end) {
			end = i + len(stop)
		}
	}
	switch {
	case c.stopped && end >= 0:
		text = text[:end]
	case c.stopped:
		if text, err = v.detokenize(ctx, c.tokens[:len(c.tokens)-1]); err != nil {
			return err
		}
	}
	c.text = text
	return nil
}

// What /metrics says of vLLM's process and of its prefix cache.
var (
	startTime = regexp.MustCompile(`(?m)^process_start_time_seconds (\S+)`)
	blockSize = regexp.MustCompile(`(?m)^vllm:cache_config_info\{.*[{,]block_size="(\d{1,6})"`)
)

// started implements dialect: the time at which vLLM's process was started.
func (v *vllm) started(ctx context.Context) (string, error) {
	return v.metric(ctx, startTime)
}

// metric returns what an expression finds in /metrics, or "".
func (v *vllm) metric(ctx context.Context, find *regexp.Regexp) (string, error) {
	body, err := v.http.Bytes(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return "", err
	}
	if m := find.FindSubmatch(body); m != nil {
		return string(m[1]), nil
	}
	return "", nil
}
