package daemon_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// What goes wrong at start is said with its field and a remedy, and leaves nothing open.
func TestStartErrors(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := filepath.Join(t.TempDir(), "taken")
	start(t, config(t, taken), daemon.Parts{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name  string
		set   func(*daemon.Config)
		code  sparkd.Code
		field string
		says  string
	}{
		{"port in use", func(c *daemon.Config) { c.API.Listen = ln.Addr().String() },
			sparkd.CodeUnavailable, "api.listen", "address already in use"},
		{"data folder locked", func(c *daemon.Config) { c.Daemon.Data = taken },
			sparkd.CodeConflict, "", "another sparkd uses"},
		{"data folder is a file", func(c *daemon.Config) { c.Daemon.Data = file },
			sparkd.CodeInvalid, "daemon.data", "is a file"},
		{"disk is full", func(c *daemon.Config) { c.Store.MinFree = 1 << 60 },
			sparkd.CodeStore, "", "must stay free"},
		{"bad value", func(c *daemon.Config) { c.Daemon.Trees = -1 },
			sparkd.CodeInvalid, "daemon.trees", "out of range"},
		{"no token", func(c *daemon.Config) { c.API.Listen = "0.0.0.0:0" },
			sparkd.CodeInvalid, "api.token", "no token"},
		{"token file", func(c *daemon.Config) { c.API.TokenFile = file + "x" },
			sparkd.CodeInvalid, "api.token_file", "no token can be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config(t, filepath.Join(t.TempDir(), "data"))
			tt.set(&c)
			engine := &daemontest.Engine{}
			_, err := daemon.New(t.Context(), c, zerolog.Nop(), daemon.Parts{Engine: engine})
			e := sparkd.AsError(err)
			if err == nil || e.Code != tt.code || e.Field != tt.field ||
				!strings.Contains(e.Message, tt.says) || e.Remedy == "" {
				t.Fatalf("got %+v", e)
			}
		})
	}
}

// A model that is none is refused, and the folder is free again.
func TestStartWithBadModel(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "model.gguf")
	if err := os.WriteFile(text, []byte("not a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config(t, filepath.Join(dir, "data"))
	for _, model := range []string{"", filepath.Join(dir, "none.gguf"), text} {
		c.Engine.Model = model
		_, err := daemon.New(t.Context(), c, zerolog.Nop(), daemon.Parts{})
		if e := sparkd.AsError(err); err == nil || e.Code != sparkd.CodeModel || e.Remedy == "" || e.Field == "" {
			t.Errorf("model %q: %+v", model, e)
		}
	}
	c.Engine.Model = ""
	start(t, c, daemon.Parts{})
}

// Without an engine a daemon shows what is stored and runs nothing.
func TestOffline(t *testing.T) {
	c := config(t, filepath.Join(t.TempDir(), "data"))
	first := start(t, c, daemon.Parts{})
	id := first.submit(spec(1)).ID
	first.wait(id)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	r := start(t, c, daemon.Parts{Offline: true})
	if got, err := r.Client.Rollout(t.Context(), id); err != nil || got.State != sparkd.RolloutDone {
		t.Errorf("%v %+v", err, got)
	}
	if _, _, err := r.Client.Submit(t.Context(), spec(1)); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("Submit: %v", err)
	}
	if err := r.Ready(); sparkd.CodeOf(err) != sparkd.CodeUnavailable {
		t.Errorf("Ready: %v", err)
	}
	if info, err := r.Client.Info(t.Context()); err != nil || info.Engine.Name != "" || len(info.Environments) == 0 {
		t.Errorf("%v %+v", err, info)
	}
}
