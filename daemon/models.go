package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"sparkd"
	"sparkd/bundled"
)

// The names that engine.model may have instead of a path.
const (
	bundledModel = "bundled" // the policy in this program
	smolLM2      = "smollm2" // what scripts/fetch-model fetches
)

// smolLM2File is the name that scripts/fetch-model gives it.
const smolLM2File = "SmolLM2-135M-Instruct.Q4_1.gguf"

// modelPath returns the file of a model. A file that is called like a model is meant by ./bundled.
func modelPath(ctx context.Context, model string) (string, error) {
	switch model {
	case "":
		return "", badModel(nil, "there is no model")
	case bundledModel:
		return bundled.Path(ctx)
	case smolLM2:
		path := filepath.Join(bundled.CacheDir(), smolLM2File)
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", &sparkd.Error{Code: sparkd.CodeModel, Field: "engine.model", Err: err,
				Message: "SmolLM2 is not here: there is no file " + path,
				Remedy:  "fetch it once with `make model` (93 MB), or take the bundled policy: --model bundled"}
		}
		return path, nil
	}
	if _, err := os.Stat(model); errors.Is(err, fs.ErrNotExist) {
		return "", badModel(err, "there is no file "+model)
	}
	return model, nil
}

func badModel(err error, message string) error {
	return &sparkd.Error{Code: sparkd.CodeModel, Field: "engine.model", Err: err, Message: message,
		Remedy: "name a GGUF file with --model, or one of " + bundledModel + ", " + smolLM2}
}
