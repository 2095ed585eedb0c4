package embedded

import (
	"context"
	"path/filepath"
	"testing"

	"sparkd/engine/embedded/gguftest"
	"sparkd/engine/enginetest"

	"sparkd/internal/settings"
)

// TestConformance runs the suite that every engine has to pass over llama.cpp itself.
func TestConformance(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := gguftest.Write(file, gguftest.Shape{Context: 1024, Scale: 0.2}, 7); err != nil {
		t.Fatal(err)
	}
	o := settings.Default[Options]()
	o.Model, o.Threads = file, 1
	e, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	running := func(context.Context) (int, error) { return e.Stats().Running, nil }
	enginetest.Run(t, e, enginetest.Options{Running: running})
}
