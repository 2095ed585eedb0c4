package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
)

// nothing are the bytes, from the first on, that hold nothing: keys of an encryption that is not used, a process id.
var nothing = map[string]int{"000001.vlog": 20, "KEYREGISTRY": 16, "LOCK": 20, "00001.mem": 20}

// TestEveryFlip flips a bit in every byte of the small files of a killed store and of a closed one, and in many of the
// large ones. Check notices, by a finding or because the store does not open, but for the bytes that hold nothing,
// without which everything is there. A table is compressed: now and then a bit chooses between two ways to write the
// same, and then the checksums of what is unpacked are right.
func TestEveryFlip(t *testing.T) {
	t.Parallel()
	live, _ := damageStore(t, t.TempDir())
	killed := takeImage(t, live.dir)
	shut(t, live)
	seed := rand.Uint64()
	rng := seeded(seed)
	for name, img := range map[string]image{"killed": killed, "closed": takeImage(t, live.dir)} {
		dir := img.write(t, "", nil)
		s := open(t, dir, readOnly())
		stored := records(t, s)
		shut(t, s)
		for _, base := range slices.Sorted(maps.Keys(img)) {
			places, missed := bytesToFlip(img[base], rng), []int{}
			for _, at := range places {
				undo := flip(t, filepath.Join(dir, base), at, 1<<rng.IntN(8))
				if !noticed(t, dir, stored) && at >= nothing[base] && at < len(img[base].used) {
					missed = append(missed, at)
				}
				undo()
			}
			if n := len(missed); n > 0 && (filepath.Ext(base) != ".sst" || n > len(places)/20) {
				t.Errorf("seed %d: %s: nobody notices bytes %v of %s", seed, name, missed, base)
			}
		}
	}
}

// bytesToFlip are places in a file: all of a small one, the ends and some of the middle of a large one, and some of
// the zeros behind.
func bytesToFlip(f file, rng *rand.Rand) (places []int) {
	const large, end = 60, 24
	for at := range f.used {
		n := len(f.used)
		if n <= large || at < end || at >= n-end || rng.IntN(n/large) == 0 {
			places = append(places, at)
		}
	}
	for range min(4, int(f.size)-len(f.used)) {
		places = append(places, len(f.used)+rng.IntN(int(f.size)-len(f.used)))
	}
	return places
}

// flip changes a byte of a file and returns what changes it back.
func flip(t *testing.T, path string, at int, bits byte) (undo func()) {
	t.Helper()
	change := func() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1)
		_, err = f.ReadAt(b, int64(at))
		b[0] ^= bits
		_, errWrite := f.WriteAt(b, int64(at))
		if err := errors.Join(err, errWrite, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	change()
	return change
}

// noticed reports whether Check notices; where it does not, everything must be there.
func noticed(t *testing.T, dir string, stored []record) bool {
	t.Helper()
	s, err := Open(dir, readOnly())
	if err != nil {
		return true
	}
	defer s.Close()
	if r, err := s.Check(t.Context()); err != nil || len(r.Findings) > 0 {
		return true
	}
	if now := records(t, s); !reflect.DeepEqual(now, stored) {
		t.Errorf("%d of %d records differ or are gone, and Check finds nothing", len(stored)-len(now), len(stored))
	}
	return false
}

// openLogged opens a store for reading and returns what it logs over that.
func openLogged(dir string) (*Store, string, error) {
	var log bytes.Buffer
	opt := readOnly()
	opt.Logger = zerolog.New(&log).Level(zerolog.ErrorLevel)
	s, err := Open(dir, opt)
	return s, log.String(), err
}

// TestCutManifest: a manifest that is cut, anywhere, or gone is no reason to remove the tables that it does not name.
// The store is not opened for writing, nothing changes, and with the manifest back everything is there.
func TestCutManifest(t *testing.T) {
	t.Parallel()
	s, trees := damageStore(t, t.TempDir())
	for _, id := range []string{"u0", "u1"} { // a table each
		s = reopen(t, s)
		s.CreateRollout(t.Context(), testRollout("r"+id, id))
		tree := testTree(id, "r"+id)
		putTree(t, s, tree, 3, true)
		trees = append(trees, tree)
	}
	shut(t, s)
	path := filepath.Join(s.dir, manifestName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name string) {
		before := contents(t, s.dir)
		_, err := Open(s.dir, testOptions())
		if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeDamaged || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
		sameContents(t, s.dir, before)
	}
	for size := range whole {
		if err := os.WriteFile(path, whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		refused(fmt.Sprint(size, " bytes"))
		if s, log, err := openLogged(s.dir); err == nil {
			if !strings.Contains(log, "the MANIFEST was cut") {
				t.Errorf("%d bytes: a reader is told %q", size, log)
			}
			if !slices.ContainsFunc(checkFindings(t, s), func(f Finding) bool { return f.Key == manifestName }) {
				t.Errorf("%d bytes: Check does not name the manifest", size)
			}
			shut(t, s)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused("without it")
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir, testOptions())
	for _, tree := range trees {
		sameTree(t, s, tree)
	}
	checkClean(t, s)
}

// TestCutManifestOfKilled: the log of a killed store has all events behind those of a table that is forgotten, as if
// they had been trimmed. The table is not removed all the same.
func TestCutManifestOfKilled(t *testing.T) {
	t.Parallel()
	s, _ := damageStore(t, t.TempDir())
	s = reopen(t, s)
	s.CreateRollout(t.Context(), testRollout("rnew", "tnew"))
	putTree(t, s, testTree("tnew", "rnew"), 3, true)
	killed := takeImage(t, s.dir)
	shut(t, s)
	for size := int64(8); size < killed[manifestName].size; size++ {
		dir := killed.write(t, "", nil)
		if err := os.Truncate(filepath.Join(dir, manifestName), size); err != nil {
			t.Fatal(err)
		}
		before := contents(t, dir)
		if _, err := Open(dir, testOptions()); err == nil || sparkd.AsError(err).Code != sparkd.CodeDamaged {
			t.Errorf("%d bytes: %v", size, err)
		}
		sameContents(t, dir, before)
		s, log, err := openLogged(dir)
		if err != nil || !strings.Contains(log, "the MANIFEST was cut") {
			t.Fatalf("%d bytes: a reader is told %q, %v", size, log, err)
		}
		if !slices.ContainsFunc(checkFindings(t, s), func(f Finding) bool { return f.Key == manifestName }) {
			t.Errorf("%d bytes: Check does not name the manifest", size)
		}
		shut(t, s)
	}
}

// TestMissingFiles: Check names what is gone.
func TestMissingFiles(t *testing.T) {
	live, _ := damageStore(t, t.TempDir())
	killed := takeImage(t, live.dir)
	shut(t, live)
	closed := takeImage(t, live.dir)
	for base, img := range map[string]image{highWaterName: closed, "000001.sst": closed, manifestName: closed,
		"00001.mem": killed} {
		dir := img.write(t, "", nil)
		if err := os.Remove(filepath.Join(dir, base)); err != nil {
			t.Fatal(err)
		}
		if !noticed(t, dir, nil) {
			t.Errorf("nobody misses %s", base)
		}
	}
}
