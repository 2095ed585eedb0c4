package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sparkd"
	"sparkd/internal/wholefile"
)

// output calls write with what writes to path: stdout for "" and "-". A file is there once all is written; before, and
// after an error, it is as it was.
func (c *cli) output(path string, write func(io.Writer) error) error {
	return c.outputWith(path, write, nil)
}

// outputWith is output, and puts beside a file the one that beside returns, so that neither is there without what it
// belongs to.
func (c *cli) outputWith(path string, write func(io.Writer) error, beside func() (string, []byte, error)) error {
	switch {
	case path == "" || path == "-":
		return write(c.stdout)
	case special(path):
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return outputError(err)
		}
		return errors.Join(writeError(write(f)), f.Close())
	}
	f, err := wholefile.Create(path)
	if err != nil {
		return outputError(err)
	}
	defer f.Discard() //nolint:errcheck // the next run removes what this one could not
	if err := write(f); err != nil {
		return writeError(err)
	}
	files := []*wholefile.File{f}
	if beside != nil {
		name, text, err := beside()
		if err != nil {
			return err
		}
		second, err := wholefile.Create(name)
		if err != nil {
			return outputError(err)
		}
		defer second.Discard() //nolint:errcheck // as above
		if _, err := second.Write(text); err != nil {
			return outputError(err)
		}
		files = append(files, second)
	}
	if err := wholefile.Commit(files...); err != nil {
		return outputError(err)
	}
	return nil
}

// special reports whether there is a pipe or a device at path.
func special(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// input reads a file, stdin for "-".
func (c *cli) input(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(c.stdin)
	}
	return os.ReadFile(path)
}

// checkOutput finds before hours of work what would keep their result from being written.
func checkOutput(path string) error {
	if path == "" || path == "-" || special(path) { // which may be opened once only
		return nil
	}
	if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil {
		_ = f.Close()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return outputError(err)
	}
	f, err := wholefile.Create(path)
	if err == nil {
		err = f.Discard()
	}
	if err != nil {
		return outputError(err)
	}
	return nil
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

// writeError gives a remedy to an error of a file, however deep in what packs it.
func writeError(err error) error {
	var known *sparkd.Error
	var file *fs.PathError
	if errors.As(err, &known) || !errors.As(err, &file) {
		return err
	}
	return sparkd.NewError(sparkd.CodeStore, "", "free disk space or choose another place",
		"cannot write the output: %v", err).Because(err)
}
