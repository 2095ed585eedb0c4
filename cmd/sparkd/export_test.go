package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd/api"
	"sparkd/export"
)

func readManifest(t *testing.T, path string) api.Manifest {
	t.Helper()
	text, err := os.ReadFile(export.ManifestPath(path))
	if err != nil {
		t.Fatal(err)
	}
	var m api.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Every format goes to a file as it is, compressed and as Parquet, with its manifest.
func TestExportFormats(t *testing.T) {
	s := newSession(t)
	s.job("first")
	for _, format := range export.Formats() {
		out := filepath.Join(s.dir, format+".jsonl")
		r := s.run("export", "--format", format, "--advantage", "grpo", "--out", out)
		lines, err := os.ReadFile(out)
		if err != nil {
			t.Fatalf("%s: %v, %+v", format, err, r)
		}
		m := readManifest(t, out)
		if m.Format != format || m.Advantage != "grpo" || m.Trees != 2 ||
			m.Lines != strings.Count(string(lines), "\n") ||
			m.SHA256 != fmt.Sprintf("%x", sha256.Sum256(lines)) {
			t.Errorf("%s: %+v", format, m)
		}
		if (r.code == exitOK) != (m.Refused() == nil) {
			t.Errorf("%s: exit %d, %s", format, r.code, r.stderr)
		}
		for ending, magic := range map[string]string{".jsonl.zst": "\x28\xb5\x2f\xfd", ".parquet": "PAR1"} {
			if m.Lines == 0 {
				continue
			}
			packed := filepath.Join(s.dir, format+ending)
			s.must("export", "--format", format, "--advantage", "grpo", "--out", packed)
			text, err := os.ReadFile(packed)
			if err != nil || !strings.HasPrefix(string(text), magic) {
				t.Errorf("%s%s begins with %.8q, %v", format, ending, text, err)
			}
			if again := readManifest(t, packed); again.SHA256 != m.SHA256 {
				t.Errorf("%s%s: sum %s, want %s", format, ending, again.SHA256, m.SHA256)
			}
		}
	}
}

func TestExportFilters(t *testing.T) {
	s := newSession(t)
	s.job("first")
	r := s.must("export", "--json", "--filter", "rollout=first", "--filter", "success=true", "--format", "verl")
	var told struct {
		Cursor   string
		Manifest api.Manifest
	}
	if err := json.Unmarshal([]byte(r.stderr), &told); err != nil {
		t.Fatalf("%v: %s", err, r.stderr)
	}
	if m := told.Manifest; told.Cursor == "" || m.Filter != "rollout=first,success=true" ||
		m.Lines != strings.Count(r.stdout, "\n") {
		t.Errorf("%+v", told)
	}
	if r := s.must("export", "--filter", "env=elsewhere"); r.stdout != "" ||
		!strings.Contains(r.stderr, "left out 2 trees: filter env") {
		t.Errorf("%+v", r)
	}
	for _, args := range [][]string{{"--filter", "color=red"}, {"--filter", "success"},
		{"--advantage", "treerl", "--weighting", "size"},
		{"--pairs", "cousin"}, {"--pairs-most", "-1"}, {"--dedupe", "some"}, {"--reward-cmd", "true", "--after", "1"},
		{"--reward-cmd", `"`}, {"--reward-cmd", ""},
		{"--advantage", "gigpo", "--step-weight", "0"}, {"--out", filepath.Join(s.dir, "x.csv")},
		{"--out", filepath.Join(s.dir, "x.jsonl.gz")}} {
		if r := s.run(append([]string{"export"}, args...)...); r.code != exitUsage {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// An export that leaves out all that it could have written fails, with the remedy.
func TestExportRefused(t *testing.T) {
	s := newSession(t)
	r, _ := s.job("lone", "--roots", "1", "--leaves", "1", "--policy", "linear", "--advantage", "rloo")
	if !strings.Contains(r.stderr, "nothing was exported") {
		t.Errorf("the run that grew them: %s", r.stderr)
	}
	r = s.run("export", "--advantage", "rloo")
	if r.code != exitUsage || !strings.Contains(r.stderr, "rloo: only one trajectory ended") ||
		!strings.Contains(r.stderr, "remedy: use grpo") {
		t.Errorf("%+v", r)
	}
}

func TestExportRewardCommand(t *testing.T) {
	s := newSession(t)
	s.job("first")
	rule := filepath.Join(s.dir, "rule.sh")
	script := `while read -r line; do id=${line#*'"id":"'}; echo "{\"id\":\"${id%%'"'*}\",\"reward\":2.5}"; done` + "\n"
	if err := os.WriteFile(rule, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, rollout := range []string{"", "first"} {
		args := []string{"export", "--reward-cmd", "sh " + rule, "--format", "trl-grpo", "--limit", "1"}
		if rollout != "" {
			args = append(args, rollout)
		}
		lines := strings.Split(strings.TrimSpace(s.must(args...).stdout), "\n")
		for _, line := range lines {
			var l struct{ Reward float64 }
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Reward != 2.5 {
				t.Errorf("%v: %.200s", err, line)
			}
		}
	}
	if r := s.run("export", "--reward-cmd", "false"); r.code != exitUsage ||
		!strings.Contains(r.stderr, "left out 2 trees: it was not re-scored: the rule ended") {
		t.Errorf("a rule that ends: %+v", r)
	}
}
