package sglang

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
		{"single", 1, false, remote.Plan{Each: 1}},
		{"fan-out", 2, true, remote.Plan{Each: 2}},
		{"warm, then fan-out", 2, false, remote.Plan{Warm: true, Each: 2}},
	} {
		if got := plan(&remote.Ask{Seeds: make([]uint64, c.n), Resident: c.resident}); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
