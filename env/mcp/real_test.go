package mcp

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sparkd"
)

// mcp-server-time is a published server, from the Python package index.
func TestRealServer(t *testing.T) {
	if os.Getenv("SPARKD_TEST_ENVS") == "" {
		t.Skip("NOT RUN: the test against a published MCP server needs SPARKD_TEST_ENVS=1 (it installs " +
			"mcp-server-time with pip)")
	}
	out, err := exec.CommandContext(t.Context(), "../../scripts/venv", "mcp", "mcp-server-time==2026.10.10").Output()
	if err != nil {
		t.Fatalf("scripts/venv: %v", err)
	}
	program := filepath.Join(strings.TrimSpace(string(out)), "bin/mcp-server-time")
	source := open(t, Options{Command: []string{program, "--local-timezone", "UTC"}})
	copies := make([]*Env, 2)
	for i := range copies {
		e, err := source.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		copies[i] = e.(*Env)
	}
	o, err := copies[0].Reset(t.Context(), task(0))
	if err != nil || !strings.Contains(o.Text,
		`convert_time {"source_timezone": string, "target_timezone": string, "time": string}: Convert time`) {
		t.Fatalf("%q, %v", o.Text, err)
	}
	path := []string{`convert_time {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}`,
		`convert_time {"time": "12:00"}`}
	want := []sparkd.Observation{o}
	for i, word := range []string{"21:00", "Error: "} {
		if o, err = copies[0].Step(t.Context(), path[i]); err != nil || !strings.Contains(o.Text, word) {
			t.Fatalf("%s: %q, %v", path[i], o.Text, err)
		}
		want = append(want, o)
	}
	seen, err := copies[1].Replay(t.Context(), task(0), path[:1]) // its tools say that they only read
	if err != nil || len(seen) != 2 || seen[0].Hash() != want[0].Hash() || seen[1].Hash() != want[1].Hash() {
		t.Errorf("a replay saw %+v, %v; want %+v", seen, err, want[:2])
	}
}
