package export

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Pack returns a writer of lines of the given format that writes what the ending of a file's name asks for to w:
// Zstandard for .zst, Parquet for .parquet, else the lines as they are. Close ends the packing; w stays open.
func Pack(w io.Writer, name, format string) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	case strings.HasSuffix(name, ".parquet"):
		f, err := formatNamed(format)
		if err != nil {
			return nil, err
		}
		return newParquet(w, f), nil
	}
	return plainLines{w}, nil
}

type plainLines struct{ io.Writer }

func (plainLines) Close() error { return nil }

// ManifestPath is where the manifest of the export in a file lies: beside it, because
// readers of data sets take every line of the file itself for data.
func ManifestPath(path string) string { return path + ".manifest.json" }

// File is what the manifest's file holds.
func (m *Manifest) File() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}
