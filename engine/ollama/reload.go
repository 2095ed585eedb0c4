package ollama

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"slices"

	"github.com/ollama/ollama/api"

	"sparkd"
	"sparkd/engine/remote"
)

// Reload implements remote.Reloader. The file is a GGUF that sparkd can read: it goes to
// the server, which makes a model of it beside the old one, named after its version. What
// an earlier reload made is deleted. Adapters are refused: Ollama is giving them up.
func (s *server) Reload(ctx context.Context, w sparkd.Weights) (func(context.Context) error, error) {
	if w.LoRA {
		return nil, sparkd.Invalid("lora", "merge the adapter into the weights and write a GGUF",
			"Ollama takes no adapters any more")
	}
	f, err := os.Open(w.Path)
	if err != nil {
		return nil, sparkd.Invalid("path", "name a GGUF that sparkd can read", "cannot open it: %v", err)
	}
	defer f.Close()
	next, err := s.create(ctx, f, w.Version)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := s.load(ctx, next); err != nil {
			return err
		}
		if old := s.serving.Swap(next); old.model != next.model {
			s.retire(ctx, old)
		}
		return nil
	}, nil
}

// create gives the file to the server and makes a model of it.
func (s *server) create(ctx context.Context, f *os.File, version string) (*serving, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, sparkd.Invalid("path", "name a GGUF that sparkd can read", "cannot read it: %v", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, sparkd.Invalid("path", "name a file", "cannot read it again: %v", err)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	digest, name := "sha256:"+sum, "sparkd-"+sum[:12]+":latest"
	if err := s.api.CreateBlob(ctx, digest, io.NopCloser(f)); err != nil {
		return nil, s.typed("/api/blobs", err)
	}
	create := &api.CreateRequest{Model: name, Files: map[string]string{"weights.gguf": digest}}
	if err := s.api.Create(ctx, create, func(api.ProgressResponse) error { return nil }); err != nil {
		return nil, s.typed("/api/create", err)
	}
	next, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	next.own = true
	next.version = cmp.Or(version, next.version)
	return next, nil
}

// load loads a model and makes sure that it reads text as the one before did.
func (s *server) load(ctx context.Context, next *serving) error {
	shown, err := s.show(ctx, next.model)
	if err != nil {
		return err
	}
	words, err := newVocabulary(shown.ModelInfo)
	if err != nil {
		return err
	}
	if !slices.Equal(words.texts, s.words.texts) || !slices.Equal(words.kinds, s.words.kinds) {
		return sparkd.Invalid("path", "train on from the model that is served",
			"the weights are of a model with another vocabulary")
	}
	warm := remote.Ask{Sampling: &sparkd.Sampling{}, Limit: 1, Seeds: []uint64{0}}
	_, err = s.generate(ctx, next.model, probeText, warm)
	return err
}

// retire unloads a model, and deletes it where a reload made it. The new one serves
// already: what fails here costs the server memory until keepAlive is over, and no more.
func (s *server) retire(ctx context.Context, old *serving) {
	unload := &api.GenerateRequest{Model: old.model, KeepAlive: &api.Duration{}}
	_ = s.api.Generate(ctx, unload, func(api.GenerateResponse) error { return nil })
	if old.own {
		_ = s.api.Delete(ctx, &api.DeleteRequest{Model: old.model})
	}
}
