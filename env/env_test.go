package env

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sparkd"
)

func catalog(t *testing.T, configured map[string]Config) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), configured, time.Minute, func(name, line string) { t.Log(name, line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCatalog(t *testing.T) {
	c := catalog(t, nil)
	for i, name := range c.Names() {
		s, err := c.Source(name)
		if err != nil {
			t.Fatal(err)
		}
		info := s.Info()
		if name == sparkd.EnvClient {
			continue // its copies belong to sessions
		}
		if info.Name != name || c.Infos()[i].Name != name {
			t.Fatalf("%s calls itself %q", name, info.Name)
		}
		e, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for split, count := range info.Splits {
			last := sparkd.Task{Env: name, Split: split, Index: count - 1}
			if o, err := e.Reset(t.Context(), last); err != nil || o.Text == "" || len(o.Admissible) == 0 {
				t.Errorf("%v: %q, %v", last, o.Text, err)
			}
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	c := catalog(t, nil)
	household, err := c.Source("household")
	if err != nil {
		t.Fatal(err)
	}
	_, unknown := c.Source("chess")
	refused := func(name string, c Config) error {
		_, err := Open(t.Context(), map[string]Config{name: c}, time.Minute, nil)
		return err
	}
	resolve := func(edit func(*sparkd.Tasks)) error {
		tasks := sparkd.Tasks{Env: "household", Split: "l0", Count: 1}
		edit(&tasks)
		_, err := Resolve(household, tasks)
		return err
	}
	for _, tt := range []struct {
		err           error
		field, remedy string
	}{
		{unknown, "tasks.env", "household"},
		{refused("x", Config{Kind: "chess"}), "env.x.kind", "alfworld, exec, openenv, agentgym, mcp"},
		{refused("household", Config{Kind: "alfworld"}), "env.household", "another name"},
		{refused("a/b", Config{Kind: "alfworld"}), "env.a/b", "letters"},
		{refused("x", Config{Kind: "exec", Workers: -1}), "env.x.workers", "default"},
		{refused("x", Config{Kind: "exec", Memory: -1}), "env.x.memory", "MiB"},
		{refused("x", Config{Kind: "exec"}), "env.x.command", ""},
		{refused("x", Config{Kind: "alfworld", Data: "/nonexistent"}), "env.x.data", ""},
		{refused("x", Config{Kind: "openenv", URL: "ftp://a"}), "env.x.url", ""},
		{refused("x", Config{Kind: "agentgym", URL: ""}), "env.x.url", ""},
		{refused("x", Config{Kind: "mcp"}), "env.x.command", ""},
		{resolve(func(t *sparkd.Tasks) { t.Split = "dev" }), "tasks.split", "train4"},
		{resolve(func(t *sparkd.Tasks) { t.From = 2000 }), "tasks.from", "1999"},
		{resolve(func(t *sparkd.Tasks) { t.From, t.Count = 1990, 11 }), "tasks.count", "1999"},
		{resolve(func(t *sparkd.Tasks) { t.Indices = []int{3, 2000} }), "tasks.indices[1]", "1999"},
		{resolve(func(t *sparkd.Tasks) { t.Names = []string{"a"} }), "tasks.names", "tasks.indices"},
	} {
		var e *sparkd.Error
		if !errors.As(tt.err, &e) || e.Code != sparkd.CodeInvalid || e.Field != tt.field ||
			!strings.Contains(e.Remedy, tt.remedy) || e.Remedy == "" {
			t.Errorf("%v, want %s with the remedy %q", tt.err, tt.field, tt.remedy)
		}
	}
}
