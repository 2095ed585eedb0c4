package ollama

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"slices"

	"github.com/ollama/ollama/api"

	"sparkd"
)

// Reload implements sparkd.Reloader. The file is a GGUF that sparkd can read: it goes to
// the server, which makes a model of it beside the old one, named after its version. What
// an earlier reload made is deleted. Adapters are refused: Ollama is giving them up.
func (e *Engine) Reload(ctx context.Context, w sparkd.Weights) (string, error) {
	if w.LoRA {
		return "", sparkd.Invalid("lora", "merge the adapter into the weights and write a GGUF", "Ollama takes no adapters any more")
	}
	f, err := os.Open(w.Path)
	if err != nil {
		return "", sparkd.Invalid("path", "name a GGUF that sparkd can read", "cannot open it: %v", err)
	}
	defer f.Close()
	ctx, done := e.alive(ctx)
	defer done()
	next, err := e.create(ctx, f, w.Version)
	if err != nil {
		return "", e.ended(ctx, err)
	}
	if err := e.places.Acquire(ctx, int64(e.Parallel)); err != nil {
		return "", e.ended(ctx, sparkd.AsError(ctx.Err()))
	}
	defer e.places.Release(int64(e.Parallel))
	if err := e.admit(ctx, next); err != nil {
		return "", e.ended(ctx, err)
	}
	e.mu.Lock()
	old := e.serving
	e.serving = next
	e.mu.Unlock()
	if old.model != next.model {
		e.retire(ctx, old)
	}
	return next.policy, nil
}

// create gives the file to the server and makes a model of it.
func (e *Engine) create(ctx context.Context, f *os.File, version string) (serving, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return serving{}, sparkd.Invalid("path", "name a GGUF that sparkd can read", "cannot read it: %v", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return serving{}, sparkd.Invalid("path", "name a file", "cannot read it again: %v", err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	digest, name := "sha256:"+sum, "sparkd-"+sum[:12]+":latest"
	if err := e.api.CreateBlob(ctx, digest, io.NopCloser(f)); err != nil {
		return serving{}, e.typed("/api/blobs", err)
	}
	err := e.api.Create(ctx, &api.CreateRequest{Model: name, Files: map[string]string{"weights.gguf": digest}}, func(api.ProgressResponse) error { return nil })
	if err != nil {
		return serving{}, e.typed("/api/create", err)
	}
	next, err := e.choose(ctx, name)
	next.own = true
	if version != "" {
		next.policy = version
	}
	return next, err
}

// admit loads a model and makes sure that it reads text as the one before did.
func (e *Engine) admit(ctx context.Context, next serving) error {
	shown, err := e.show(ctx, next.model)
	if err != nil {
		return err
	}
	words, err := newVocabulary(shown.ModelInfo)
	if err != nil {
		return err
	}
	if !slices.Equal(words.texts, e.words.texts) || !slices.Equal(words.kinds, e.words.kinds) {
		return sparkd.Invalid("path", "train on from the model that is served", "the weights are of a model with another vocabulary")
	}
	_, err = e.generate(ctx, next.model, ask{prompt: probeText, sampling: &sparkd.Sampling{}, limit: 1, context: e.about.ContextLength})
	return err
}

// retire unloads a model, and deletes it where a reload made it. The new one serves
// already: what fails here costs the server memory until keepAlive is over, and no more.
func (e *Engine) retire(ctx context.Context, old serving) {
	unload := &api.GenerateRequest{Model: old.model, KeepAlive: &api.Duration{}}
	_ = e.api.Generate(ctx, unload, func(api.GenerateResponse) error { return nil })
	if old.own {
		_ = e.api.Delete(ctx, &api.DeleteRequest{Model: old.model})
	}
}
