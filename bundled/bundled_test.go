package bundled

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sparkd"
)

// homes points every folder that a policy may be written to into a folder of the test.
func homes(t *testing.T) (cache, temp string) {
	t.Helper()
	dir := t.TempDir()
	cache, temp = filepath.Join(dir, "cache"), filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SPARKD_CACHE", cache)
	t.Setenv("TMPDIR", temp)
	return cache, temp
}

func path(t *testing.T) string {
	t.Helper()
	p, err := Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(p)
	if err != nil || !bytes.Equal(text, policy) {
		t.Fatalf("%s holds %d bytes, %v", p, len(text), err)
	}
	return p
}

func TestPolicyIsSmall(t *testing.T) {
	if !bytes.HasPrefix(policy, []byte("GGUF")) || len(policy) > 6<<20 {
		t.Errorf("%d bytes, beginning with %q", len(policy), policy[:4])
	}
}

// The file is written once and then left as it is; a damaged one is written anew.
func TestPath(t *testing.T) {
	cache, _ := homes(t)
	p := path(t)
	if filepath.Dir(p) != filepath.Join(cache, "models") {
		t.Errorf("written to %s", p)
	}
	first, err := os.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.Stat(path(t)); err != nil || !os.SameFile(first, again) {
		t.Errorf("written again: %v", err)
	}
	damaged := bytes.Clone(policy)
	damaged[len(damaged)/2] ^= 1
	for _, text := range [][]byte{damaged, policy[:100], {}} {
		if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
		path(t)
	}
	files, err := os.ReadDir(filepath.Dir(p))
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

// However many ask at once, one file is made, and whoever has its path keeps that file.
func TestPathAtOnce(t *testing.T) {
	homes(t)
	var wg sync.WaitGroup
	stats := make([]os.FileInfo, 16)
	for i := range stats {
		wg.Go(func() {
			p, err := Path(context.Background())
			if err == nil {
				stats[i], err = os.Stat(p)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range stats {
		if s == nil || !os.SameFile(s, stats[0]) {
			t.Error("not all got the same file")
		}
	}
}

// Where the cache folder cannot be made the file goes to a folder for temporary files, and
// where that cannot be either an error says what to do.
func TestPathElsewhere(t *testing.T) {
	cache, temp := homes(t)
	if err := os.WriteFile(cache, nil, 0o600); err != nil { // no folder can be made there, even by root
		t.Fatal(err)
	}
	if p := path(t); !strings.HasPrefix(p, temp) {
		t.Errorf("written to %s", p)
	}
	if err := os.RemoveAll(temp); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(temp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Path(t.Context())
	if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeModel || e.Field != "engine.model" ||
		!strings.Contains(e.Remedy, "SPARKD_CACHE") {
		t.Errorf("%+v", e)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Path(ended); sparkd.CodeOf(err) != sparkd.CodeCanceled {
		t.Errorf("with a context that ended: %v", err)
	}
}

func TestCacheDir(t *testing.T) {
	t.Setenv("SPARKD_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/me")
	for _, c := range []struct{ name, value, want string }{
		{"HOME", "/home/me", "/home/me/.cache/sparkd/models"},
		{"XDG_CACHE_HOME", "/cache", "/cache/sparkd/models"},
		{"SPARKD_CACHE", "/mine", "/mine/models"},
	} {
		t.Setenv(c.name, c.value)
		if got := CacheDir(); got != c.want {
			t.Errorf("%s=%s: %s, want %s", c.name, c.value, got, c.want)
		}
	}
}
