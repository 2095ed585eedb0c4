package engine_test

import (
	"os"
	"slices"
	"testing"

	"sparkd"
	"sparkd/engine"
	"sparkd/engine/remote"
)

// TestReloadLive moves a real server to the weights in the folder SPARKD_CONFORMANCE_WEIGHTS
// and back to those it was started with, in SPARKD_CONFORMANCE_WEIGHTS_BACK.
func TestReloadLive(t *testing.T) {
	url := os.Getenv("SPARKD_CONFORMANCE_URL")
	other, own := os.Getenv("SPARKD_CONFORMANCE_WEIGHTS"), os.Getenv("SPARKD_CONFORMANCE_WEIGHTS_BACK")
	if url == "" || other == "" || own == "" {
		t.Skip("SPARKD_CONFORMANCE_URL, SPARKD_CONFORMANCE_WEIGHTS and SPARKD_CONFORMANCE_WEIGHTS_BACK " +
			"name no server and weights")
	}
	e, err := engine.Connect(t.Context(), "auto", remote.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	logprobs := func() []float32 {
		t.Helper()
		r := sparkd.SampleRequest{Prefix: []sparkd.Token{5, 6, 7}, K: 1, Seeds: []uint64{1},
			Sampling: sparkd.Sampling{MaxTokens: 3}}
		got, err := e.Sample(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return got.Samples[0].Logprobs
	}
	before := logprobs()
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: "/nowhere", Version: "none"}); err == nil ||
		!slices.Equal(logprobs(), before) {
		t.Errorf("weights that are not there: %v, logprobs %v and then %v", err, before, logprobs())
	}
	if v, err := e.Reload(t.Context(), sparkd.Weights{Path: other, Version: "other"}); err != nil || v != "other" ||
		slices.Equal(logprobs(), before) {
		t.Errorf("other weights: %s, %v, logprobs %v and then %v", v, err, before, logprobs())
	}
	if _, err := e.Reload(t.Context(), sparkd.Weights{Path: own, Version: "back"}); err != nil ||
		!slices.Equal(logprobs(), before) || e.Describe().PolicyVersion != "back" {
		t.Errorf("its own weights again: %v, logprobs %v and then %v", err, before, logprobs())
	}
}
