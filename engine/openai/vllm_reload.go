package openai

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"sparkd"
)

// lastWords is how long a server may take to go on after a reload, whatever became of the
// caller.
const lastWords = time.Minute

// reload implements dialect. A LoRA adapter is loaded under the name of its version, which
// has a cache of its own; whole weights need the routes of VLLM_SERVER_DEV_MODE=1, which
// wait for what runs. vLLM 0.32 does not survive weights that it cannot load: it answers
// with an error, and dies of the next request. A folder that is not there is therefore
// refused before it is tried, where this machine is the server's.
func (v *vllm) reload(ctx context.Context, w sparkd.Weights) (model string, err error) {
	if w.LoRA {
		return w.Version, v.post(ctx, "/v1/load_lora_adapter", map[string]any{"lora_name": w.Version, "lora_path": w.Path}, nil)
	}
	if _, missing := os.Stat(filepath.Join(w.Path, "config.json")); missing != nil && v.local() {
		return "", sparkd.Invalid("path", "name a folder with the model's Hugging Face files", "no weights in %q", w.Path)
	}
	if err := v.post(ctx, "/pause?mode=wait", nil, nil); err != nil {
		return "", err
	}
	defer func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		if resumed := v.post(late, "/resume", nil, nil); err == nil {
			err = resumed
		}
	}()
	call := map[string]any{"method": "reload_weights", "kwargs": map[string]any{"weights_path": w.Path}}
	if err := v.post(ctx, "/collective_rpc", call, nil); err != nil {
		return "", &sparkd.Error{Code: sparkd.CodeEngine, Err: err, Message: "the server could not load the weights: " + err.Error(), Remedy: "check the weights, and start the server anew if it does not answer"}
	}
	return v.model(), v.post(ctx, "/reset_prefix_cache", nil, nil)
}
