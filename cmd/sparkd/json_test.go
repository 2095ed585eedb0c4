package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sparkd/daemon/daemontest"
)

// mayBeNull are the fields that say by null that there is nothing.
var mayBeNull = []string{"difference", "sampled_logprobs", "logprobs"}

// outline writes the form of a JSON value: names and types, of a list its first element, and what is in objects of
// objects no further. Lists are never null, texts never JSON again.
func outline(t *testing.T, b *strings.Builder, indent string, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("object\n")
		below := b
		if len(indent) > 2 {
			below = &strings.Builder{}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] == nil && !slices.Contains(mayBeNull, name) {
				t.Errorf("%s is null", name)
			}
			fmt.Fprintf(below, "%s  %s: ", indent, name)
			outline(t, below, indent+"  ", v[name])
		}
	case []any:
		b.WriteString("list of ")
		if len(v) == 0 {
			b.WriteString("none\n")
			return
		}
		outline(t, b, indent, v[0])
	case string:
		if s := strings.TrimSpace(v); strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			if json.Valid([]byte(s)) {
				t.Errorf("JSON in a text: %s", v)
			}
		}
		b.WriteString("text\n")
	default:
		names := map[string]string{"float64": "number", "bool": "truth", "<nil>": "null"}
		fmt.Fprintf(b, "%s\n", names[fmt.Sprintf("%T", v)])
	}
}

// documents decodes the JSON documents of an output, one a line.
func documents(t *testing.T, text string) (all []any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var v any
		if err := d.Decode(&v); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if _, ok := v.(map[string]any); !ok {
			t.Errorf("no object: %s", text)
		}
		all = append(all, v)
	}
	if n := bytes.Count([]byte(text), []byte("\n")); n != len(all) {
		t.Errorf("%d documents in %d lines", len(all), n)
	}
	return all
}

// Every command has one form of --json: what it writes to stdout and to stderr is held here. docs/cli.md has the table.
func TestJSON(t *testing.T) {
	s := newSession(t)
	rows, tree := filepath.Join(s.dir, "rows.jsonl"), ""
	s.job("first")
	tree = ulids.FindString(s.must("tree", "first").stdout)
	empty := newSession(t)
	empty.run("run", "--id", "x", "--max-steps", "2", "--out", filepath.Join(s.dir, "x"))
	addr, stop := s.serve(&daemontest.Engine{})
	defer stop()
	toml := filepath.Join(s.dir, "sparkd.toml")
	if err := os.WriteFile(toml, []byte("[daemon]\ndata = '"+filepath.Join(s.dir, "new")+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{"serve": true} // which writes nothing to stdout
	var b strings.Builder
	for _, args := range [][]string{
		{"run", "--tasks", "1", "--max-steps", "2", "--out", rows},
		{"run", "--max-steps", "2", "--out", "-", "--roots=2"},
		{"run", "--policy", "best-of", "--max-steps", "2", "--out", rows},
		{"compare", "--policies", "spark,linear", "--max-steps", "2", "--out", filepath.Join(s.dir, "c.html")},
		{"tree", "first", "--addr", addr}, {"tree", tree, "--addr", addr},
		{"export", "--out", rows, "--addr", addr}, {"export", "first", "--limit", "1", "--addr", addr},
		{"rollouts", "--addr", addr}, {"rollouts"}, {"cancel", "first", "--addr", addr}, {"info", "--addr", addr},
		{"info"},
		{"engines", "--addr", addr}, {"template", "--model", "bundled"},
		{"coldstart", "--trajectories", "1", "--out", rows},
		{"coldstart", "--trajectories", "1"}, {"check"}, {"config"},
		{"env", "check", "household", "--tasks", "1", "--steps", "5"},
		{"config", "--check", toml, "--set", "engine.kind=remote", "--set", "engine.replicas=http://x"},
		{"completion", "bash"}, {"man", filepath.Join(s.dir, "man")}, {"version"}, {"help"}, {"help", "cancel"},
		{"grow"}, {"run", "--roots", "9"}, {"config", "--set", "daemon.tres=1", "--set", "daemon.trees=0"},
		{"rollouts", "--addr", "127.0.0.1:1"}, {"tree", "nobody", "--addr", addr},
	} {
		held[args[0]] = true
		at := s
		if !slices.Contains(args, addr) {
			at = empty
		}
		r := at.run(append(slices.Clone(args), "--json")...)
		fmt.Fprintf(&b, "$ sparkd %s\n", strings.ReplaceAll(strings.Join(args, " "), addr, "ADDRESS"))
		for _, out := range []struct{ name, text string }{{"stdout", r.stdout}, {"stderr", r.stderr}} {
			all := documents(t, out.text)
			if len(all) > 0 {
				fmt.Fprintf(&b, "%s: ", out.name)
				outline(t, &b, "", all[0])
			}
		}
		b.WriteString("\n")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range (&cli{}).root().Commands() {
		name := cmd.Name()
		if !held[name] {
			t.Errorf("the JSON of %s is held nowhere", name)
		}
		if strings.Count(string(page), "`"+name+"`")+strings.Count(string(page), "`"+name+" ") < 2 {
			t.Errorf("docs/cli.md does not say what %s needs and gives as JSON", name)
		}
	}
	golden(t, "json.txt", s.timeless(b.String()))
}
