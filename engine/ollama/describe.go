package ollama

import (
	"context"
	"strings"

	"sparkd"
	"sparkd/engine/remote"
)

// probeText is what the requests at the start are made of. Both tokenizers must count it
// alike: words, numbers, contractions, runs of blanks, other scripts, and code.
var probeText = strings.Repeat("The cat's 12345 mats, and they'll sell 67,890.5 of THEM!\n\n"+
	"\tdef f(x):\n        return x  # naïve 東京 Привет 🙂\n", 5) +
	"<action>go to shelf 1</action> You are in the middle of a room. Looking quickly around you, you see"

// Describe implements remote.Server: it rebuilds the model's tokenizer, and compares it with the server's.
func (s *server) Describe(ctx context.Context, about *sparkd.EngineInfo) error {
	version, err := s.api.Version(ctx)
	if err != nil {
		return s.typed("/api/version", err)
	}
	if version == "" {
		return sparkd.Invalid("engine.replicas", "give the address of an Ollama server",
			"%s does not say which version of Ollama it is", s.http.Name())
	}
	found, err := s.find(ctx, s.options.Model)
	if err != nil {
		return err
	}
	s.serving.Store(found)
	shown, err := s.show(ctx, found.model)
	if err != nil {
		return err
	}
	if s.words, err = newVocabulary(shown.ModelInfo); err != nil {
		return err
	}
	if about.ChatTemplate, err = template(s.options.Tokenizer, shown.Template); err != nil {
		return err
	}
	s.about = about
	about.Dialect, about.ServerVersion, about.Model = "ollama", version, found.model
	about.Architecture, _ = shown.ModelInfo["general.architecture"].(string)
	about.WeightType, about.Vocabulary = shown.Details.QuantizationLevel, len(s.words.texts)
	about.BOS, about.EOS, about.EOT, about.AddBOS = s.words.bos, s.words.eos, s.words.eot, s.words.addBOS
	about.Capabilities.Deterministic = "as far as the server repeats itself: " +
		"one seed a continuation, and a cached prefix may round a draw over a border"
	if err := s.compareCounts(ctx); err != nil {
		return err
	}
	about.ContextLength, err = s.contextLength(ctx, shown.ModelInfo)
	return err
}

// template returns the Jinja source of a chat template: of a folder with a model's Hugging
// Face files, else what Ollama shows where that is the GGUF's. Its own templates are of
// another kind, Go's, and do not keep a conversation as it was. "" has none.
func template(folder, shown string) (string, error) {
	if folder == "" {
		if !strings.Contains(shown, "{%") { // Go's have no such brackets, and Jinja has no loop without
			return "", nil
		}
		return shown, nil
	}
	f, err := remote.ReadFiles(folder)
	if err != nil {
		return "", err
	}
	return f.Template, nil
}

// compareCounts compares how many tokens a text has here and at the server.
func (s *server) compareCounts(ctx context.Context) error {
	ids, err := s.words.encode(probeText, true)
	if err != nil {
		return err
	}
	got, err := s.generate(ctx, s.serving.Load().model, probeText, remote.Ask{
		Sampling: &sparkd.Sampling{Temperature: 1}, Limit: 2, Seeds: []uint64{1}, Top: remote.TopLogprobs,
	})
	if err != nil {
		return err
	}
	here := len(ids)
	if s.words.addBOS {
		here++
	}
	switch got.prompt {
	case here:
		s.about.Settings["tokenizer"] = "counts as the server's"
	case 0: // versions of 2024 leave the count out where the prompt was cached
		s.about.Settings["tokenizer"] = "not compared: the server reports no prompt_eval_count"
	default:
		return unusable("the server counts %d tokens in a text of %d", got.prompt, here)
	}
	return nil
}

// contextLength is the num_ctx that every request names from now on, so that no other
// client's wish makes the server load the model anew for ours.
func (s *server) contextLength(ctx context.Context, info map[string]any) (int, error) {
	running, err := s.running(ctx)
	if err != nil {
		return 0, err
	}
	if running != nil && running.ContextLength > 0 {
		return running.ContextLength, nil
	}
	const usual = 4096 // of versions that do not tell
	n := usual
	if s.options.Context > 0 {
		n = s.options.Context
	}
	if trained, ok := info[s.about.Architecture+".context_length"].(float64); ok && trained >= 1 {
		n = min(n, int(trained))
	}
	return n, nil
}
