package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sparkd"
)

// weights is what a model is made from.
type weights struct {
	model   checkpoint
	adapter checkpoint // a LoRA adapter; its path is "" where there is none
	version string     // "" takes the hashes of the files
}

// name is the policy version.
func (w *weights) name() string {
	switch {
	case w.version != "":
		return w.version
	case w.adapter.path != "":
		return w.model.hash + "+" + w.adapter.hash
	}
	return w.model.hash
}

// modelOptions is what else loading needs to know.
type modelOptions struct {
	threads  int // 0: measure and pick
	blocks   int // of the KV store; 0: as many as suit the model and the memory
	batch    int
	segments int
	plain    bool // tests: leave all matrix products to ggml
}

// loader opens models with the same options.
type loader struct {
	options modelOptions
	passed  passed // the last trial
}

// load opens the weights at w.Path, or the model base with the adapter that is there. It
// returns the file of the model, too.
func (l *loader) load(ctx context.Context, w sparkd.Weights, base checkpoint) (backend, checkpoint, error) {
	file, err := inspect(ctx, w.Path)
	if err != nil {
		return nil, file, err
	}
	from := weights{model: file, version: w.Version}
	if w.LoRA {
		if base.changed() {
			return nil, base, unusable("load the model file first, without lora",
				"%s has changed since it was loaded, and the adapter is for what it was", filepath.Base(base.path))
		}
		from.model, from.adapter = base, file
	}
	if err := l.try(ctx, from); err != nil {
		return nil, from.model, err
	}
	b, err := openModel(ctx, from, l.options)
	if err != nil {
		return nil, from.model, err
	}
	if file.changed() || from.model.changed() {
		b.close()
		return nil, from.model, unusable("write to another name and rename when the file is complete",
			"%s changed while it was loaded", filepath.Base(w.Path))
	}
	// All weights have the same cells. Threads are measured once: beside a model that runs they would measure that.
	l.options.blocks = b.blocks()
	if n := b.info().Threads; n > 0 {
		l.options.threads = n
	}
	return b, from.model, nil
}

// checkpoint is a file as it was when its hash was taken.
type checkpoint struct {
	path string
	hash string // the first 12 hex digits of its SHA-256
	stat fs.FileInfo
}

// changed reports whether the file is not what it was, as far as its size and time tell.
func (c *checkpoint) changed() bool {
	now, err := os.Stat(c.path)
	return err != nil || !os.SameFile(now, c.stat) || now.Size() != c.stat.Size() ||
		!now.ModTime().Equal(c.stat.ModTime())
}

// CheckModel finds what Open would refuse of a model's file before llama.cpp reads it.
func CheckModel(ctx context.Context, path string) error {
	_, err := inspect(ctx, path)
	return err
}

// inspect checks a GGUF before llama.cpp does, so that the plain mistakes have errors of their own, and takes its hash.
func inspect(ctx context.Context, path string) (checkpoint, error) {
	c := checkpoint{path: path}
	if path == "" {
		return c, unusable("name a GGUF file", "no model")
	}
	f, err := openRegular(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if c.stat, err = f.Stat(); err != nil {
		return c, unusable("check the disk", "cannot read %s: %v", path, err)
	}
	h := sha256.New()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil || string(magic) != "GGUF" {
		return c, unusable("name a model in GGUF format; "+
			"Hugging Face checkpoints are converted with llama.cpp's convert_hf_to_gguf.py",
			"%s is not a GGUF file", filepath.Base(path))
	}
	h.Write(magic)
	if _, err := io.Copy(h, &reader{ctx, f}); ctx.Err() != nil {
		return c, sparkd.AsError(ctx.Err())
	} else if err != nil {
		return c, unusable("check the disk", "cannot read %s: %v", path, err)
	}
	c.hash = hex.EncodeToString(h.Sum(nil))[:12]
	return c, nil
}

// openRegular opens a file. A pipe would be waited for, so it is looked at first.
func openRegular(path string) (*os.File, error) {
	s, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, unusable("name an existing GGUF file", "no file %s", path)
	}
	if err == nil && !s.Mode().IsRegular() {
		return nil, unusable("name a GGUF file", "%s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unusable("make the file readable", "cannot open %s: %v", path, err)
	}
	return f, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// unusable is an error of a model file.
func unusable(remedy, format string, args ...any) *sparkd.Error {
	e := sparkd.Errorf(sparkd.CodeModel, format, args...)
	e.Field, e.Remedy = "engine.model", remedy
	return e
}
