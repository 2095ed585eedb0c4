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
	const remedy = "name a GGUF file with --model, or one of " + bundledModel + ", " + smolLM2
	switch model {
	case "":
		return "", badModel(nil, remedy, "there is no model")
	case bundledModel:
		return bundled.Path(ctx)
	case smolLM2:
		path := filepath.Join(bundled.CacheDir(), smolLM2File)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return "", badModel(err,
				"fetch it once with `make model` (93 MB), or take the bundled policy: --model bundled",
				"SmolLM2 is not here: there is no file "+path)
		}
		return path, nil
	}
	if _, err := os.Stat(model); errors.Is(err, fs.ErrNotExist) {
		return "", badModel(err, remedy, "there is no file "+model)
	}
	return model, nil
}

func badModel(err error, remedy, message string) error {
	return sparkd.NewError(sparkd.CodeModel, "engine.model", remedy, "%s", message).Because(err)
}
