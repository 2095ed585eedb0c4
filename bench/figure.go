// Package bench is the form of measured figures: one JSON line each. The measurements themselves are tests named
// TestFigures, here and in the packages whose insides they time; `make bench` runs them all.
package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Figure is one measured number.
type Figure struct {
	Name   string         `json:"figure"`
	Value  float64        `json:"value"`
	Unit   string         `json:"unit"`
	Detail map[string]any `json:"detail"`
}

// Print writes f as a line to stdout.
func Print(name string, value float64, unit string, detail map[string]any) {
	if detail == nil {
		detail = map[string]any{}
	}
	line, err := json.Marshal(Figure{name, value, unit, detail})
	if err != nil {
		panic(err) // a NaN, or a detail that JSON cannot hold: a defect of the measurement
	}
	fmt.Printf("\n%s\n", line)
}

// Model returns the GGUF to measure with, and skips the test outside `make bench`.
func Model(t *testing.T) string {
	t.Helper()
	Wanted(t)
	path := os.Getenv("SPARKD_BENCH_MODEL")
	if path == "" {
		t.Skip("no SPARKD_BENCH_MODEL: name a GGUF, or run make bench")
	}
	return path
}

// Wanted skips a test outside `make bench`.
func Wanted(t *testing.T) {
	t.Helper()
	if os.Getenv("SPARKD_BENCH") == "" {
		t.Skip("measurements run by make bench")
	}
}

// Machine describes where figures were taken.
func Machine() map[string]any {
	return map[string]any{"cpu": cpu(), "cores": runtime.NumCPU(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		"go": runtime.Version()}
}

func cpu() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // other systems have none
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// Best runs f n times and returns the shortest time, and all of them in seconds. The
// machine may be shared, and what others do can only slow f down.
func Best(n int, f func()) (time.Duration, []float64) {
	times := make([]time.Duration, n)
	all := make([]float64, n)
	for i := range times {
		start := time.Now()
		f()
		times[i] = time.Since(start)
		all[i] = times[i].Seconds()
	}
	return slices.Min(times), all
}

// Since returns the seconds since start, with which rates are computed.
func Since(start time.Time) float64 { return time.Since(start).Seconds() }
