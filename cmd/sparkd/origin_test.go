package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is judged on opening, or by --check, is said with the place of its setting: in the file, by its variable or by
// its flag. @ stands for the file; --check sees what needs neither program nor model.
func TestErrorsNameTheOrigin(t *testing.T) {
	const remote = "[engine]\nkind = 'remote'\n"
	for _, tt := range []struct {
		name, file, flag, environ, says string
		check                           bool // config --check says it too
	}{
		{"model", "[engine]\nmodel = '/nope.gguf'\n", "", "", "engine.model: @:2:1: ", false},
		{"data folder", "[daemon]\ndata = '/proc/x'\n", "", "", "daemon.data: @:2:1: ", false},
		{"token file", "[api]\n  token_file = '/nope'\n", "", "", "api.token_file: @:2:3: ", true},
		{"key file", remote + "replicas = ['http://x']\napi_key_file = '/nope'\n", "", "",
			"engine.api_key_file: @:4:1: ", true},
		{"replica", remote + "replicas = ['ftp://x']\n", "", "", `engine.replicas: @:3:1: cannot use "ftp://x"`, true},
		{"program", "[env.foo]\nkind = 'exec'\ncommand = ['/nope/prog']\n", "", "", "env.foo.command: @:3:1: ", false},
		{"no command", "[env.foo]\nkind = 'exec'\n", "", "", "env.foo.command: @:1:6: ", true},
		{"neither command nor url", "[env.foo]\nkind = 'mcp'\n", "", "", "env.foo.command: @:1:6: ", true},
		{"url", "[env.foo]\nkind = 'openenv'\nurl = '::'\n", "", "", "env.foo.url: @:3:1: ", true},
		{"no url", "[env.foo]\nkind = 'agentgym'\n", "", "", "env.foo.url: @:1:6: ", true},
		{"option", "[env.foo]\nkind = 'mcp'\nurl = 'http://x'\n[env.foo.options]\ntimeout = 'é'\n", "", "",
			"env.foo.options.timeout: @:5:1: ", true},
		{"inline option", "[env]\n'foo' = {kind = 'mcp', url = 'http://x', options = {timeout = 'é'}}\n", "", "",
			"env.foo.options.timeout: @:2:53: ", true},
		{"option in a variable", "[env.foo]\nkind = 'mcp'\nurl = 'http://x'\n", "",
			"SPARKD_ENV_FOO_OPTIONS=timeout=x", "env.foo.options.timeout: SPARKD_ENV_FOO_OPTIONS: ", true},
		{"variable over the file", "[api]\ntoken_file = '/a'\n", "", "SPARKD_API_TOKEN_FILE=/nope",
			"api.token_file: SPARKD_API_TOKEN_FILE: ", true},
		{"flag over the file", "[engine]\nmodel = '/a'\n", "--model=/nope.gguf", "", "engine.model: --model: ", false},
		{"--set", "", "--set=api.token_file=/nope", "", "api.token_file: --set api.token_file: ", true},
		{"bad value in --set", "", "--set=daemon.trees=x", "",
			"daemon.trees: --set daemon.trees: \"x\" is not a whole number\n" +
				"  remedy: correct --set daemon.trees\n", true},
		{"unknown setting in --set", "[daemon]\ntrees = 3\n", "--set=daemon.tres=3", "",
			"daemon.tres: --set daemon.tres: unknown setting\n  remedy: correct --set: did you mean", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "sparkd.toml")
			if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			want := "sparkd: " + strings.ReplaceAll(tt.says, "@", file)
			for _, command := range [][]string{{"serve", "-c", file}, {"config", "--check", file}} {
				var out, errs screenText
				c := &cli{environ: []string{"XDG_DATA_HOME=" + dir, "SPARKD_API_LISTEN=127.0.0.1:0", tt.environ},
					stdout: &out, stderr: &errs}
				if !strings.Contains(tt.file, "data =") {
					c.environ = append(c.environ, "SPARKD_DAEMON_DATA="+filepath.Join(dir, "data"))
				}
				if tt.flag != "" {
					command = append(command, tt.flag)
				}
				code := c.main(nil, command)
				if command[0] == "config" && !tt.check {
					if code != exitOK {
						t.Errorf("--check: exit %d\n%s", code, &errs)
					}
				} else if code != exitUsage || !strings.Contains(errs.String(), want) {
					t.Errorf("%s: exit %d\n%swant %s", command[0], code, &errs, want)
				}
			}
		})
	}
}
