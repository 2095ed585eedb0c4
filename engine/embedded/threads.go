//go:build cgo

package embedded

// #include "bridge.h"
import "C"

import (
	"runtime"
	"time"

	"sparkd"
)

// pickThreads times a small forward with one thread, two, four … up to the cores and keeps the fastest. ggml's
// threads spin while they wait for each other: where other programs hold the cores, more threads are many times
// slower than one, and no rule but a measurement tells.
func (m *model) pickThreads() int {
	best, bestTime := 1, time.Duration(0)
	for n := 1; ; n *= 2 {
		n = min(n, runtime.NumCPU())
		C.bridge_set_threads(m.c, C.int32_t(n))
		t := m.timeForward()
		if bestTime == 0 || t < bestTime {
			best, bestTime = n, t
		}
		if n == runtime.NumCPU() {
			break
		}
	}
	C.bridge_set_threads(m.c, C.int32_t(best))
	return best
}

// timeForward is the median time of a few forwards of 8 tokens.
func (m *model) timeForward() time.Duration {
	seg := segment{path: []blockRef{{block: 0, n: 8}}, tokens: make([]sparkd.Token, 8), output: true}
	var times [5]time.Duration
	for i := range times {
		start := time.Now()
		if m.forward([]segment{seg}) != nil {
			return time.Hour
		}
		times[i] = time.Since(start)
	}
	lo, hi := times[1], times[1] // the first call builds the graph
	sum := time.Duration(0)
	for _, t := range times[1:] {
		lo, hi, sum = min(lo, t), max(hi, t), sum+t
	}
	return sum - lo - hi
}
