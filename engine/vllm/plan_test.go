package vllm

import (
	"testing"

	"sparkd/engine/remote"
)

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		name     string
		n        int // of greedy ones n is 1
		resident bool
		want     remote.Plan
	}{
		{"greedy", 1, false, remote.Plan{Each: 1, AtOnce: true}},
		{"single", 1, true, remote.Plan{Each: 1}},
		{"fan-out", 8, true, remote.Plan{Each: 8}},
		{"siblings at once", 8, false, remote.Plan{Each: 1, AtOnce: true}},
	} {
		if got := plan(&remote.Ask{Seeds: make([]uint64, c.n), Resident: c.resident}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
