package ollama

import (
	"context"
	"math"
	"strings"

	"github.com/ollama/ollama/api"

	"sparkd"
)

// probeText is what the requests at the start are made of. Both tokenizers must count it
// alike: words, numbers, contractions, runs of blanks, other scripts, and code.
var probeText = strings.Repeat("The cat's 12345 mats, and they'll sell 67,890.5 of THEM!\n\n\tdef f(x):\n        return x  # naïve 東京 Привет 🙂\n", 5) +
	"<action>go to shelf 1</action> You are in the middle of a room. Looking quickly around you, you see"

// learn asks the server what it is, and tries what it can do.
func (e *Engine) learn(ctx context.Context) error {
	version, err := e.api.Version(ctx)
	if err != nil {
		return e.typed("/api/version", err)
	}
	if version == "" {
		return sparkd.Invalid("engine.replicas", "give the address of an Ollama server", "%s does not say which version of Ollama it is", e.http.Name())
	}
	if e.serving, err = e.choose(ctx, e.Model); err != nil {
		return err
	}
	shown, err := e.show(ctx, e.serving.model)
	if err != nil {
		return err
	}
	if e.words, err = newVocabulary(shown.ModelInfo); err != nil {
		return err
	}
	jinja, err := template(e.Tokenizer, shown.Template)
	if err != nil {
		return err
	}
	family, _ := shown.ModelInfo["general.architecture"].(string)
	w := e.words
	e.about = sparkd.EngineInfo{Name: e.http.Name(), Model: e.serving.model, Architecture: family, WeightType: shown.Details.QuantizationLevel,
		Vocabulary: len(w.texts), ChatTemplate: jinja, BOS: w.bos, EOS: w.eos, EOT: w.eot, AddBOS: w.addBOS,
		Dialect: "ollama", ServerVersion: version, Settings: map[string]any{"parallel": e.Parallel}}
	if e.about.TokenizerHash, err = sparkd.TokenizerHash(ctx, e.Tokenize); err != nil {
		return err
	}
	return e.try(ctx, shown.ModelInfo)
}

// choose finds a model in the server's list, the first one for "".
func (e *Engine) choose(ctx context.Context, name string) (serving, error) {
	list, err := e.api.List(ctx)
	if err != nil {
		return serving{}, e.typed("/api/tags", err)
	}
	var names []string
	for _, m := range list.Models {
		if name == "" || m.Model == name || m.Model == name+":latest" {
			return serving{model: m.Model, digest: m.Digest, policy: short(m.Digest)}, nil
		}
		names = append(names, m.Model)
	}
	if name == "" {
		return serving{}, sparkd.Errorf(sparkd.CodeEngine, "%s has no model", e.http.Name())
	}
	return serving{}, sparkd.Invalid("engine.served_model", "one of "+strings.Join(names, ", "), "%s has no model %q", e.http.Name(), name)
}

// short is a digest as a policy version.
func short(digest string) string { return digest[:min(12, len(digest))] }

// show asks for all that the server knows of a model.
func (e *Engine) show(ctx context.Context, model string) (*api.ShowResponse, error) {
	shown, err := e.api.Show(ctx, &api.ShowRequest{Model: model, Verbose: true})
	if err != nil {
		return nil, e.typed("/api/show", err)
	}
	return shown, nil
}

// try sends the requests that show what Capabilities says, and that the tokenizer is the
// server's.
func (e *Engine) try(ctx context.Context, info map[string]any) error {
	ids, err := e.words.encode(probeText, true)
	if err != nil {
		return err
	}
	a := ask{prompt: probeText, sampling: &sparkd.Sampling{Temperature: 1}, limit: 2, seed: 1, context: e.Context, top: e.TopLogprobs}
	first, err := e.generate(ctx, e.serving.model, a)
	if err != nil {
		return err
	}
	if err := e.counted(len(ids), first.prompt); err != nil {
		return err
	}
	if e.about.ContextLength, err = e.contextLength(ctx, info); err != nil {
		return err
	}
	a.context = e.about.ContextLength
	// Both of these find the prefix cached, so that it is computed in one way for both.
	warm, err := e.generate(ctx, e.serving.model, a)
	if err != nil {
		return err
	}
	a.sampling = &sparkd.Sampling{Temperature: 0.25}
	cold, err := e.generate(ctx, e.serving.model, a)
	if err != nil {
		return err
	}
	c := &e.about.Capabilities
	*c = sparkd.Capabilities{Logprobs: sparkd.LogprobsNone, Entropy: sparkd.EntropyNone, Abort: true, Reload: true, CachedCounts: cold.counted && cold.cached > 0,
		Deterministic: "as far as the server repeats itself: one seed a continuation, and a cached prefix may round a draw over a border"}
	if len(warm.logprobs) > 0 && len(cold.logprobs) > 0 {
		c.Logprobs = definition(warm.tops, cold.tops)
		if len(warm.tops) > 0 && len(warm.tops[0]) > 1 {
			c.TopK, c.Entropy = a.top, sparkd.EntropyTopK
		}
	}
	e.loaded = true
	return nil
}

// counted compares how many tokens a text has here and at the server.
func (e *Engine) counted(here, there int) error {
	if e.words.addBOS {
		here++
	}
	switch there {
	case here:
		e.about.Settings["tokenizer"] = "counts as the server's"
	case 0: // versions of 2024 leave the count out where the prompt was cached
		e.about.Settings["tokenizer"] = "not compared: the server reports no prompt_eval_count"
	default:
		return unusable("the server counts %d tokens in a text of %d", there, here)
	}
	return nil
}

// contextLength is the num_ctx that every request names from now on, so that no other
// client's wish makes the server load the model anew for ours.
func (e *Engine) contextLength(ctx context.Context, info map[string]any) (int, error) {
	running, err := e.running(ctx)
	if err != nil {
		return 0, err
	}
	if running != nil && running.ContextLength > 0 {
		return running.ContextLength, nil
	}
	const usual = 4096 // of versions that do not tell
	n := usual
	if e.Context > 0 {
		n = e.Context
	}
	if trained, ok := info[e.about.Architecture+".context_length"].(float64); ok && trained >= 1 {
		n = min(n, int(trained))
	}
	return n, nil
}

// definition says which logprobs the server reports, from the alternatives of the first
// token at two temperatures: the raw ones do not depend on it.
func definition(warm, cold [][]float64) sparkd.LogprobKind {
	if len(warm) == 0 || len(cold) == 0 || len(warm[0]) < 2 || len(cold[0]) < 2 {
		return sparkd.LogprobsSampled // nothing says that it is more
	}
	for i := range min(len(warm[0]), len(cold[0]), 5) {
		if math.Abs(warm[0][i]-cold[0][i]) > 0.05 {
			return sparkd.LogprobsSampled
		}
	}
	return sparkd.LogprobsRaw
}

// newRequest returns a request that leaves nothing to the server's or the model's defaults.
func newRequest(model string, a ask) *api.GenerateRequest {
	no, yes, p := false, true, a.sampling
	topP := p.TopP
	if topP == 0 {
		topP = 1
	}
	options := map[string]any{
		"temperature": p.Temperature, "top_k": p.TopK, "top_p": topP, "min_p": p.MinP, "seed": fold(a.seed),
		"repeat_penalty": 1, "repeat_last_n": 0, "presence_penalty": 0, "frequency_penalty": 0,
		"num_predict": a.limit, "num_keep": 0, "stop": []string{},
	}
	if a.context > 0 {
		options["num_ctx"] = a.context
	}
	return &api.GenerateRequest{Model: model, Prompt: a.prompt, Raw: true, Stream: &yes, Truncate: &no, Shift: &no, Think: &api.ThinkValue{Value: false},
		KeepAlive: &api.Duration{Duration: keepAlive}, Options: options, Logprobs: a.top > 0, TopLogprobs: a.top}
}

// fold makes of a seed one of 31 bits, which every version of Ollama takes (Fibonacci
// hashing; Knuth, The Art of Computer Programming 3, section 6.4).
func fold(seed uint64) int64 { return int64(seed * 0x9E3779B97F4A7C15 >> 33) }
