package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"sparkd"
)

// image is the files of a store: an open one's are what a killed process leaves. Badger's
// files are sparse; an image holds what is before the zeros and the size.
type image map[string]file

type file struct {
	used []byte
	size int64
}

func takeImage(t *testing.T, dir string) image {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	img := image{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		img[filepath.Base(name)] = file{bytes.Clone(bytes.TrimRight(b, "\x00")), int64(len(b))}
	}
	return img
}

// write makes a folder of the image, with one bit of the named file flipped.
func (img image) write(t *testing.T, flipped string, rng *rand.Rand) (dir string) {
	t.Helper()
	dir = t.TempDir()
	img.writeTo(t, dir, flipped, rng)
	return dir
}

func (img image) writeTo(t *testing.T, dir, flipped string, rng *rand.Rand) {
	t.Helper()
	for base, f := range img {
		b := bytes.Clone(f.used)
		if base == flipped {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		name := filepath.Join(dir, base)
		if err := errors.Join(os.WriteFile(name, b, 0o644), os.Truncate(name, f.size)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBitRot flips one bit in the files of a killed store (.mem) and of a closed one
// (.sst, MANIFEST and the rest). Badger says nothing about most of them. The store opens
// or says why not; what it returns is what was stored, or an error; and what is gone or
// altered is found by Check.
func TestBitRot(t *testing.T) {
	t.Parallel()
	live, trees := damageStore(t, t.TempDir())
	killed := takeImage(t, live.dir)
	shut(t, live)
	closed := takeImage(t, live.dir)
	stored := records(t, open(t, closed.write(t, "", nil), testOptions()))
	outcomes := map[string]int{}
	for _, img := range []image{killed, closed} {
		for base, f := range img {
			flips, ext := 4, filepath.Ext(base)
			switch {
			case len(f.used) == 0:
				continue
			case ext == ".mem" || ext == ".sst":
				flips = 30
			}
			for seed := range flips {
				dir := img.write(t, base, seeded(uint64(seed)))
				outcomes[ext+": "+rot(t, fmt.Sprintf("%s, seed %d", base, seed), dir, stored, trees)]++
			}
		}
	}
	t.Logf("outcomes: %v", outcomes)
	for _, must := range []string{".mem: found", ".sst: found"} {
		if outcomes[must] == 0 {
			t.Errorf("no flip had the outcome %q", must)
		}
	}
}

// rot opens a store with a flipped bit and says what came of it.
func rot(t *testing.T, name, dir string, stored []record, trees []*sparkd.Tree) string {
	s, err := Open(dir, testOptions())
	if err != nil {
		var e *sparkd.Error
		if !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: Open fails without a remedy: %v", name, err)
		}
		return "does not open"
	}
	defer s.Close()
	readsLoudly(t, s, trees)
	report, err := s.Check(t.Context())
	if err != nil || len(report.Findings) > 0 {
		return "found"
	}
	if now := records(t, s); !reflect.DeepEqual(now, stored) {
		t.Errorf("%s: %d of %d records differ or are gone, and Check finds nothing",
			name, len(stored)-len(now), len(stored))
	}
	return "harmless"
}
