package vllm

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"sparkd"
	"sparkd/engine/remote"
)

// resumeTimeout is how long a server may take to go on after a reload, whatever became of the caller.
const resumeTimeout = time.Minute

// Reload implements remote.Reloader. A LoRA adapter is loaded under the name of its version, which has a cache of
// its own; whole weights need the routes of VLLM_SERVER_DEV_MODE=1, which wait for what runs. vLLM 0.32 does not
// survive weights that it cannot load: it answers with an error, and dies of the next request. A folder that is
// not there is therefore refused before it is tried, where this machine is the server's.
func (s *server) Reload(_ context.Context, w sparkd.Weights) (func(context.Context) error, error) {
	if err := remote.CheckWeights(w); err != nil {
		return nil, err
	}
	if w.LoRA {
		return func(ctx context.Context) error {
			adapter := map[string]any{"lora_name": w.Version, "lora_path": w.Path}
			if err := s.Post(ctx, "/v1/load_lora_adapter", adapter, nil); err != nil {
				return err
			}
			s.Move(w.Version, w.Version)
			return nil
		}, nil
	}
	if _, missing := os.Stat(filepath.Join(w.Path, "config.json")); missing != nil && s.IsLocal() {
		return nil, sparkd.Invalid("path", "name a folder with the model's Hugging Face files", "no weights in %q",
			w.Path)
	}
	return func(ctx context.Context) error {
		err := s.load(ctx, w.Path)
		if err == nil {
			s.Move(s.Model(), w.Version)
		}
		return err
	}, nil
}

// load has the server read weights while it is paused, and empties its cache.
func (s *server) load(ctx context.Context, path string) (err error) {
	if err := s.Post(ctx, "/pause?mode=wait", nil, nil); err != nil {
		return err
	}
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeTimeout)
		defer cancel()
		if resumed := s.Post(late, "/resume", nil, nil); err == nil {
			err = resumed
		}
	}()
	call := map[string]any{"method": "reload_weights", "kwargs": map[string]any{"weights_path": path}}
	if err := s.Post(ctx, "/collective_rpc", call, nil); err != nil {
		return &sparkd.Error{Code: sparkd.CodeEngine, Err: err,
			Message: "the server could not load the weights: " + err.Error(),
			Remedy:  "check the weights, and start the server anew if it does not answer"}
	}
	return s.Post(ctx, "/reset_prefix_cache", nil, nil)
}
