package coldstart

import (
	"errors"
	"io"
	"os"
	"strings"

	"sparkd"
)

// maxKey bounds a key, in bytes.
const maxKey = 64 << 10

// readKey returns the key of the teacher's server that a file holds.
func readKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", keyError(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKey))
	if err != nil {
		return "", keyError(err)
	}
	if key := strings.TrimSpace(string(text)); key != "" {
		return key, nil
	}
	return "", keyError(errors.New(path + " is empty"))
}

func keyError(err error) error {
	e := sparkd.Invalid("teacher-key-file", "put the key into the file, in one line", "no key can be read: %v", err)
	e.Err = err
	return e
}

// openPaths reads the golden paths of one environment from a file.
func openPaths(path, env string) ([]Path, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, sparkd.Invalid("golden", "name a file of golden paths", "%v", err)
	}
	defer f.Close()
	return ReadPaths(f, env)
}
