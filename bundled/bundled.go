// Package bundled holds the policy that sparkd ships: a small Llama that was trained from nothing for the tasks of
// household, with a vocabulary and a chat template of its own. It is no model for anything else.
//
// household.gguf is the policy; hf/ beside it is the same in the files of Hugging Face. `make policy` makes both anew.
package bundled

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"sparkd"
)

//go:embed household.gguf
var policy []byte

// Path returns the path of a file that holds the policy, for engines that read files. It is written into CacheDir
// once, under a name with its hash, or into a folder for temporary files where that cannot be written. Many
// processes may ask at once; a file that is not what it should be is written anew.
func Path(ctx context.Context) (string, error) {
	sum := sha256.Sum256(policy)
	name := fmt.Sprintf("household-%x.gguf", sum[:6])
	var errs []error
	for _, dir := range []string{CacheDir(), filepath.Join(os.TempDir(), "sparkd-"+strconv.Itoa(os.Getuid()))} {
		if err := ctx.Err(); err != nil {
			return "", sparkd.AsError(err)
		}
		path := filepath.Join(dir, name)
		if intact(path) {
			return path, nil
		}
		err := put(path)
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	return "", sparkd.NewError(sparkd.CodeModel, "engine.model", "name a folder that can be written by SPARKD_CACHE",
		"the bundled policy cannot be written to a file: %s", err.Error()).Because(err)
}

// CacheDir is where sparkd keeps models: models in $SPARKD_CACHE, else in sparkd in the user's cache folder.
func CacheDir() string {
	if dir := os.Getenv("SPARKD_CACHE"); dir != "" {
		return filepath.Join(dir, "models")
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "sparkd", "models")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, ".cache", "sparkd", "models")
}

// intact reports whether the file holds the policy.
func intact(path string) bool {
	text, err := os.ReadFile(path)
	return err == nil && bytes.Equal(text, policy)
}

// put makes the file in one go. What another process has made meanwhile is left alone: it may be loading it.
func put(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "household-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(policy)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err == nil || intact(path) {
		return nil
	}
	return os.Rename(f.Name(), path) // over a damaged one, or where files cannot be linked
}
