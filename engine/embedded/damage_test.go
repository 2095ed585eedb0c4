//go:build cgo

package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sparkd"
	"sparkd/engine/embedded/gguftest"
)

// FuzzGGUF opens damaged models as the daemon does: they are refused, or sample. Nothing ends the process, whose child
// alone may die, and nothing takes long.
func FuzzGGUF(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		file, what := gguftest.Damaged(seed)
		path := filepath.Join(t.TempDir(), "damaged.gguf")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		t.Cleanup(func() {
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("seed %d (%s) took %v", seed, what, took)
			}
		})
		o := tinyEngine
		o.Model = path
		e, err := Open(t.Context(), o)
		if err != nil {
			if e := sparkd.AsError(err); e.Code != sparkd.CodeModel || e.Remedy == "" {
				t.Errorf("seed %d (%s): %v", seed, what, err)
			}
			t.Log(what, "→", err)
			return
		}
		defer e.Close()
		t.Log(what, "→ opens")
		for _, text := range []string{"hello <|im_end|> \U0001F600é\x00\n", "\xff", everyByte} {
			ids, err := e.Tokenize(t.Context(), text, false)
			if err != nil || len(ids) == 0 {
				continue
			}
			ids = ids[:min(len(ids), 100)]
			_, err = e.Sample(t.Context(), ask(ids, 2, 5, 1))
			switch code := sparkd.CodeOf(err); code {
			case "", sparkd.CodeEngine, sparkd.CodeCapacity, sparkd.CodeContext:
			default:
				t.Errorf("seed %d (%s): %v", seed, what, err)
			}
		}
		if _, err := e.Detokenize(t.Context(), []sparkd.Token{0, 1, -1, 1 << 30}); err != nil {
			t.Error(err)
		}
		_ = fmt.Sprint(e.Describe())
	})
}
