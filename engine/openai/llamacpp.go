package openai

import (
	"context"
	"math"
	"path/filepath"
	"slices"

	"sparkd"
)

// llamacpp speaks with llama.cpp's llama-server: /completion with ids
// (tools/server/README.md), /tokenize, /detokenize, /props and, where it is switched on,
// the actions of /slots.
type llamacpp struct {
	*server
	slots *slots
	eos   sparkd.Token
}

// props is what /props says.
type props struct {
	Slots    int    `json:"total_slots"`
	Path     string `json:"model_path"`
	Type     string `json:"model_ftype"`
	Template string `json:"chat_template"`
	BOS      string `json:"bos_token"`
	EOS      string `json:"eos_token"`
	Marker   string `json:"media_marker"` // random, of the process
	Defaults struct {
		Context int `json:"n_ctx"` // of a slot
	} `json:"default_generation_settings"`
}

func (l *llamacpp) props(ctx context.Context) (props, error) {
	var p props
	err := l.http.JSON(ctx, "GET", "/props", nil, &p)
	return p, err
}

func (l *llamacpp) learn(ctx context.Context, about *sparkd.EngineInfo) error {
	p, err := l.props(ctx)
	if err != nil {
		return err
	}
	if p.Slots < 1 || p.Defaults.Context < 1 {
		return sparkd.Errorf(sparkd.CodeEngine, "%s has no slots", l.http.Name())
	}
	about.ContextLength, about.Vocabulary, about.WeightType = p.Defaults.Context, l.card.Meta.Vocabulary, p.Type
	if p.Path != "" {
		about.Model = filepath.Base(p.Path)
		if l.version() == l.model() {
			l.move(l.model(), about.Model)
		}
	}
	f := files{template: p.Template, bos: p.BOS, eos: p.EOS}
	err = f.describe(ctx, about, l.tokenize, func(ctx context.Context, text string) ([]sparkd.Token, error) {
		return l.ids(ctx, map[string]any{"content": text, "add_special": true, "parse_special": true})
	})
	about.WeightType, about.Vocabulary = p.Type, l.card.Meta.Vocabulary
	l.eos = about.EOS
	if err != nil {
		return err
	}
	return l.learnSlots(ctx, p, about)
}

// learnSlots finds out whether a slot's cells can be copied to another.
func (l *llamacpp) learnSlots(ctx context.Context, p props, about *sparkd.EngineInfo) error {
	err := l.action(ctx, "save", 0, 0)
	if code := sparkd.CodeOf(err); code != "" && code != sparkd.CodeEngine && code != sparkd.CodeInvalid {
		return err
	}
	var f *saves
	if err == nil {
		f = &saves{process: l.started, of: p.Marker,
			save:    func(ctx context.Context, slot int) error { return l.action(ctx, "save", slot, slot) },
			restore: func(ctx context.Context, slot, file int) error { return l.action(ctx, "restore", slot, file) }}
	}
	l.slots = newSlots(p.Slots, f)
	about.Settings["slots"], about.Settings["slot_copies"] = p.Slots, f != nil
	return nil
}

func (l *llamacpp) ids(ctx context.Context, request map[string]any) ([]sparkd.Token, error) {
	var out struct{ Tokens []sparkd.Token }
	err := l.post(ctx, "/tokenize", request, &out)
	return out.Tokens, err
}

func (l *llamacpp) tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	return l.ids(ctx, map[string]any{"content": text, "add_special": false, "parse_special": control})
}

func (l *llamacpp) detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Content string }
	err := l.post(ctx, "/detokenize", map[string]any{"tokens": ids}, &out)
	return out.Content, err
}

// generated is one result of /completion.
type generated struct {
	Content  string
	Tokens   []sparkd.Token
	Slot     int    `json:"id_slot"`
	StopType string `json:"stop_type"` // eos, word, limit
	Stopping string `json:"stopping_word"`
	Model    string
	Probs    []prob `json:"completion_probabilities"`
	Timings  struct {
		Cached   int `json:"cache_n"`
		Computed int `json:"prompt_n"`
	}
}

type prob struct {
	ID      sparkd.Token
	Logprob float64
	Tops    []struct {
		ID      sparkd.Token
		Logprob float64
	} `json:"top_logprobs"`
}

func (l *llamacpp) generate(ctx context.Context, a ask) (answer, error) {
	results, err := l.completion(ctx, l.request(&a), a.n)
	if err != nil {
		return answer{}, err
	}
	out := answer{counted: true}
	for i := range results {
		g := &results[i]
		if err := l.answersFor(g.Model); err != nil {
			return answer{}, err
		}
		if i == 0 || a.n > 1 && g.Slot == a.slot { // n_cmpl computes the prompt once and says so of every result
			out.cached, out.computed = g.Timings.Cached, g.Timings.Computed
		}
		if i == 0 || g.Slot == a.slot {
			l.slots.filled(a.slot, slices.Concat(a.prefix, g.Tokens))
		}
		if a.limit == 0 { // the prefix is all that counts; one token is drawn all the same
			continue
		}
		c, err := l.read(ctx, g, &a)
		if err != nil {
			return answer{}, err
		}
		out.choices = append(out.choices, c)
	}
	return out, nil
}

// request is what /completion is sent, with every parameter that has a default. The
// samplers are named in the order that Sampling promises; those that are not named are off.
func (l *llamacpp) request(a *ask) map[string]any {
	topP := a.sampling.TopP
	if topP == 0 {
		topP = 1
	}
	stop := a.sampling.Stop
	if stop == nil {
		stop = []string{}
	}
	return map[string]any{
		"prompt": a.prefix, "n_predict": a.limit, "n_cmpl": a.n, "id_slot": a.slot, "cache_prompt": true, "n_cache_reuse": 0, "stream": false,
		"temperature": a.sampling.Temperature, "top_k": a.sampling.TopK, "top_p": topP, "min_p": a.sampling.MinP,
		"samplers": []string{"temperature", "top_k", "top_p", "min_p"}, "dynatemp_range": 0, "repeat_penalty": 1,
		"presence_penalty": 0, "frequency_penalty": 0, "mirostat": 0, "ignore_eos": false, "min_keep": 0, "grammar": "",
		"seed": a.seed & math.MaxInt32, "stop": stop, "return_tokens": true, "n_probs": max(a.top, 1), "post_sampling_probs": false,
		"response_fields": []string{"content", "tokens", "id_slot", "stop_type", "stopping_word", "model", "completion_probabilities", "timings"},
	}
}

// completion asks /completion, which returns a list for n > 1 and the one result for 1.
func (l *llamacpp) completion(ctx context.Context, request map[string]any, n int) ([]generated, error) {
	if n > 1 {
		var list []generated
		err := l.post(ctx, "/completion", request, &list)
		return list, err
	}
	one := make([]generated, 1)
	err := l.post(ctx, "/completion", request, &one[0])
	return one, err
}

// read makes a continuation of a result: ids and text as they came, logprobs where they
// came and, for the tokens that llama-server leaves out, by asking for them.
func (l *llamacpp) read(ctx context.Context, g *generated, a *ask) (choice, error) {
	c := choice{tokens: g.Tokens, text: g.Content, stopped: g.StopType == "eos" || g.StopType == "word"}
	if g.StopType == "word" {
		c.text += g.Stopping
	}
	end := slices.IndexFunc(c.tokens, func(id sparkd.Token) bool { return slices.Contains(a.sampling.StopTokenIDs, id) })
	if end >= 0 && end+1 < len(c.tokens) || end >= 0 && !c.stopped { // llama-server knows no stop tokens but the model's own
		c.tokens, c.stopped = c.tokens[:end+1], true
		text, err := l.detokenize(ctx, c.tokens[:end])
		if err != nil {
			return c, err
		}
		c.text = text
	}
	return c, l.complement(ctx, &c, g, a)
}

func (l *llamacpp) started(ctx context.Context) (string, error) {
	p, err := l.props(ctx)
	return p.Marker, err
}

func (l *llamacpp) reload(context.Context, sparkd.Weights) (string, error) { return "", errNoReload }
