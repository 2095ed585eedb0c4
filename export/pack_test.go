package export

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"sparkd"
)

func TestZstandard(t *testing.T) {
	var out bytes.Buffer
	packed, err := Pack(&out, "x.jsonl.zst", "rows")
	if err != nil {
		t.Fatal(err)
	}
	lines := export(t, DefaultOptions(), []*sparkd.Tree{toy()})
	if _, err := packed.Write(lines); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := zstd.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, lines) {
		t.Errorf("%d bytes come back, want %d: %v", len(got), len(lines), err)
	}
}

// TestParquet: the rows of every format come back as its lines, however they are cut into
// writes.
func TestParquet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 6))
	trees := []*sparkd.Tree{toy(), randomTree(rng), randomTree(rng), randomTree(rng)}
	variants(func(name string, o Options) {
		if o.Dedupe != "copies" {
			return
		}
		o.Text, o.Entropies = true, true
		var lines []byte
		for _, tree := range trees {
			lines = append(lines, export(t, o, []*sparkd.Tree{tree})...)
		}
		var out bytes.Buffer
		packed, err := Pack(&out, "x.parquet", o.Format)
		if err != nil {
			t.Fatal(err)
		}
		for rest := lines; len(rest) > 0; {
			n := 1 + rng.IntN(min(1000, len(rest)))
			if _, err := packed.Write(rest[:n]); err != nil {
				t.Fatal(name, err)
			}
			rest = rest[n:]
		}
		if err := packed.Close(); err != nil {
			t.Fatal(name, err)
		}
		f, err := formatNamed(o.Format)
		if err != nil {
			t.Fatal(err)
		}
		compareParquet(t, name, f, out.Bytes(), lines)
	})
}

// compareParquet reads a file and compares its rows with lines; null and empty lists are
// told apart.
func compareParquet(t *testing.T, name string, f *format, file, lines []byte) {
	t.Helper()
	row := f.lines.typ()
	r := parquet.NewReader(bytes.NewReader(file), parquet.SchemaOf(reflect.New(row).Interface()))
	defer r.Close()
	n := 0
	for line := range bytes.Lines(lines) {
		got, want := reflect.New(row), reflect.New(row)
		if err := r.Read(got.Interface()); err != nil {
			t.Fatalf("%s, row %d: %v", name, n, err)
		}
		if err := json.Unmarshal(line, want.Interface()); err != nil {
			t.Fatal(err)
		}
		same(t, uint64(n), name, got.Interface(), want.Interface())
		n++
	}
	if r.NumRows() != int64(n) {
		t.Errorf("%s: %d rows of %d lines", name, r.NumRows(), n)
	}
}

func TestManifestFile(t *testing.T) {
	m, _ := written(t, DefaultOptions(), []*sparkd.Tree{toy()})
	text, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	var back Manifest
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("%v: %+v, want %+v", err, back, m)
	}
}
