package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asCommand makes the test's binary the command.
const asCommand = "SPARKD_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// What is wrong in flags, variables and files, and in what they name, exits with 2; what
// fails at run time with 1.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"file": "", "junk.gguf": "junk", "bad.toml": "[daemon]\ntrees = 0\n", "bad.json": "{",
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(in("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args, environ string
		code          int
		says          string
	}{
		{"version", "", exitOK, ""},
		{"help", "", exitOK, ""},
		{"", "", exitUsage, "sparkd COMMAND --help"},
		{"grow", "", exitUsage, "unknown command"},
		{"run --tasks x", "", exitUsage, "invalid value"},
		{"run --model none.gguf", "", exitUsage, "engine.model: "},
		{"serve --model none.gguf", "", exitUsage, "engine.model: "},
		{"serve", "SPARKD_ENGINE_MODEL=none.gguf", exitUsage, "engine.model: "},
		{"serve --model junk.gguf", "", exitUsage, "engine.model: "},
		{"compare --model empty", "", exitUsage, "engine.model: "},
		{"serve --data file", "", exitUsage, "daemon.data: "},
		{"serve --data file/data", "", exitUsage, "daemon.data: "},
		{"run --data file", "", exitUsage, "daemon.data: "},
		{"check --data file", "", exitUsage, "daemon.data: "},
		{"rollouts", "SPARKD_DAEMON_DATA=file", exitUsage, "daemon.data: "},
		{"serve --set api.token_file=none", "", exitUsage, "api.token_file: "},
		{"rollouts --addr 127.0.0.1:1", "SPARKD_API_TOKEN_FILE=none", exitUsage, "api.token_file: "},
		{"serve --alfworld-data none", "", exitUsage, "env.alfworld.data: "},
		{"serve --alfworld-data empty", "", exitUsage, "env.alfworld.data: "},
		{"coldstart --env alfworld --alfworld-data none", "", exitUsage, "env.alfworld.data: "},
		{"serve --listen nowhere", "", exitUsage, "api.listen: "},
		{"rollouts --addr ::::", "", exitUsage, "addr: "},
		{"serve -c none.toml", "", exitUsage, "none.toml"},
		{"serve -c bad.toml", "", exitUsage, "daemon.trees: "},
		{"serve", "SPARKD_CONFIG=bad.toml", exitUsage, "daemon.trees: "},
		{"serve", "SPARKD_DAEMON_TREES=x", exitUsage, "daemon.trees: "},
		{"run --spec none.json", "", exitUsage, "none.json"},
		{"run --spec bad.json", "", exitUsage, "JSON"},
		{"export --reward-cmd " + in("none"), "", exitUsage, ""},
		{"rollouts --addr 127.0.0.1:1", "", exitFailure, "no daemon at 127.0.0.1:1"},
		{"rollouts --data none", "", exitUsage, "daemon.data: --data: there is no data folder"},
		{"tree x --data none", "", exitUsage, "remedy: name it with --data"},
		{"export", "SPARKD_DAEMON_DATA=none", exitUsage, "daemon.data: SPARKD_DAEMON_DATA: there is no data folder"},
		{"check --data none", "", exitUsage, "daemon.data: --data: there is no data folder"},
		{"tree x --data empty", "", exitUsage, "daemon.data: --data: there is no store"},
	} {
		cmd := exec.Command(os.Args[0], strings.Fields(c.args)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asCommand+"=1", "HOME="+dir, "XDG_DATA_HOME="+in("home"),
			"SPARKD_API_LISTEN=127.0.0.1:0", c.environ)
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%s sparkd %s: exit %d, want %d\n%s", c.environ, c.args, code, c.code, out)
		}
	}
}
