package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sparkd"
)

// output calls write with what writes to path: stdout for "" and "-".
func (c *cli) output(path string, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(c.stdout)
	}
	f := &lateFile{path: path}
	err := write(f)
	if err == nil {
		_, err = f.Write(nil) // what wrote nothing still empties the file
	}
	return errors.Join(err, f.close())
}

// input reads a file, stdin for "-".
func (c *cli) input(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.stdin)
	}
	return os.ReadFile(path)
}

// lateFile is a file that is opened, and its old content given up, with the first write:
// a command that fails before leaves it as it was.
type lateFile struct {
	path string
	file *os.File
}

// Write implements io.Writer.
func (f *lateFile) Write(b []byte) (n int, err error) {
	if f.file == nil {
		if f.file, err = os.Create(f.path); err != nil {
			return 0, outputError(err)
		}
	}
	return f.file.Write(b)
}

func (f *lateFile) close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// checkOutput finds before hours of work what would keep their result from being written.
func checkOutput(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // a pipe or a device, which may be opened once only
	}
	made := errors.Is(err, os.ErrNotExist)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return outputError(err)
	}
	err = f.Close()
	if made {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// otherFormats are endings of files that hold no JSON lines.
var otherFormats = strings.Fields(".csv .tsv .gz .tgz .bz2 .xz .lz4 .zip .tar .arrow .feather .avro .orc .pq " +
	".xlsx .npy .npz .pt .safetensors .db .sqlite .html .yaml .yml .toml .xml")

// otherFormat reports whether a file's name promises another format than JSON lines.
func otherFormat(path string) bool {
	return slices.Contains(otherFormats, strings.ToLower(filepath.Ext(path)))
}

// checkLines refuses a name that promises another format than lines come in, and what checkOutput refuses.
func checkLines(path string) error {
	if otherFormat(path) {
		return sparkd.Invalid("out", "name a .jsonl (JSON lines), .jsonl.zst (packed) or .parquet",
			"%s: %s files are not written here", path, filepath.Ext(path))
	}
	return checkOutput(path)
}

func outputError(err error) error {
	return sparkd.Invalid("out", "name another file with --out; finished trees are kept, and sparkd export writes them",
		"cannot write the output: %v", err)
}
