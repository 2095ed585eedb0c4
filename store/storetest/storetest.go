// Package storetest has stores as earlier versions of sparkd wrote them, for the tests
// that a later one reads them and grows them on.
package storetest

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sparkd/internal/sparse"
)

// format1 was made by testdata/make.py, which says what is in it.
//
//go:embed testdata/format1.tar.zst
var format1 []byte

// Old is a store that the last version with store format 1 left when it was killed.
type Old struct {
	Data string // the data folder, the test's own
	Rows []byte // what that version exported of it: format rows, with texts and entropies; see Rounded
	Tree []byte // format tree, likewise
}

// Growing is the rollout that grew when the daemon was killed: three of its four trees have begun. The others of
// the store are spark, chains, random (in the window context), session, late (all done), failed and canceled.
const Growing = "growing"

// Format1 unpacks the store for a test to use.
func Format1(t testing.TB) Old {
	t.Helper()
	dir := t.TempDir()
	if err := unpack(dir); err != nil {
		t.Fatalf("unpacking the store: %v", err)
	}
	old := Old{Data: filepath.Join(dir, "data")}
	for name, to := range map[string]*[]byte{"rows.jsonl": &old.Rows, "tree.jsonl": &old.Tree} {
		var err error
		if *to, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return old
}

var (
	lists    = regexp.MustCompile(`"(logprobs|sampled_logprobs|entropies)":\[[^]]*\]`)
	integers = regexp.MustCompile(`([\[,]-?[0-9]+)([,\]])`)
	floats   = regexp.MustCompile(`-?[0-9]+\.[0-9]+(e[-+]?[0-9]+)?`)
)

// Rounded returns lines of an export in a form in which those of this version equal those of the old one: that wrote
// floats without a fraction as integers, and rounded sums of rewards more than once.
func Rounded(lines []byte) []byte {
	lines = lists.ReplaceAllFunc(lines, func(list []byte) []byte {
		for range 2 { // neighbours share a comma
			list = integers.ReplaceAll(list, []byte("$1.0$2"))
		}
		return list
	})
	return floats.ReplaceAllFunc(lines, func(number []byte) []byte {
		x, _ := strconv.ParseFloat(string(number), 64)
		return strconv.AppendFloat(nil, x, 'g', 13, 64)
	})
}

func unpack(dir string) error {
	z, err := zstd.NewReader(bytes.NewReader(format1))
	if err != nil {
		return err
	}
	defer z.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case h.Typeflag == tar.TypeDir:
			err = os.MkdirAll(filepath.Join(dir, h.Name), 0o755)
		default:
			err = sparse.Copy(filepath.Join(dir, h.Name), r)
		}
		if err != nil {
			return err
		}
	}
}
