//go:build cgo

package embedded_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"sparkd/bundled"
	"sparkd/engine/embedded"
	"sparkd/engine/enginetest"

	"sparkd/internal/settings"
)

func TestBundledPolicyEqualsTransformers(t *testing.T) {
	const continuations = "../../bundled/testdata/greedy.json"
	want := enginetest.ReadContinuations(t, continuations)
	path, err := bundled.Path(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != want.Hash {
		t.Fatalf("%s is of another policy than the bundled one; run train/greedy.py for this one", continuations)
	}
	o := settings.Default[embedded.Options]()
	o.Model, o.Threads = path, 1
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	enginetest.Greedy(t, e, want)
}
