package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sparkd/daemon/daemontest"
)

// What is judged on opening, or by --check, is said with the place of its setting: in the file, by its variable or by
// its flag, by serve and by --check alike. @ stands for the file.
func TestErrorsNameTheOrigin(t *testing.T) {
	const remote = "[engine]\nkind = 'remote'\n"
	for _, tt := range []struct {
		name, file, flag, environ, says string
	}{
		{"model", "[engine]\nmodel = '/nope.gguf'\n", "", "", "engine.model: @:2:1: "},
		{"data folder", "[daemon]\ndata = '/proc/x'\n", "", "", "daemon.data: @:2:1: "},
		{"token file", "[api]\n  token_file = '/nope'\n", "", "", "api.token_file: @:2:3: "},
		{"key file", remote + "replicas = ['http://x']\napi_key_file = '/nope'\n", "", "",
			"engine.api_key_file: @:4:1: "},
		{"replica", remote + "replicas = ['ftp://x']\n", "", "", `engine.replicas: @:3:1: cannot use "ftp://x"`},
		{"model that is a folder", "[engine]\nmodel = '/'\n", "", "", "engine.model: @:2:1: "},
		{"model that is none", "[engine]\nmodel = '/dev/null'\n", "", "", "engine.model: @:2:1: "},
		{"file for a data folder", "[daemon]\ndata = '/dev/null'\n", "", "", "daemon.data: @:2:1: "},
		{"games", "[env.foo]\nkind = 'alfworld'\ndata = '/nope'\n", "", "", "env.foo.data: @:3:1: "},
		{"no games", "[env.foo]\nkind = 'alfworld'\n", "", "", "env.foo.data: @:1:6: "},
		{"program and address", "[env.foo]\nkind = 'mcp'\ncommand = ['cat']\nurl = 'http://x'\n", "", "",
			"env.foo.command: @:3:1: "},
		{"program", "[env.foo]\nkind = 'exec'\ncommand = ['/nope/prog']\n", "", "", "env.foo.command: @:3:1: "},
		{"no command", "[env.foo]\nkind = 'exec'\n", "", "", "env.foo.command: @:1:6: "},
		{"neither command nor url", "[env.foo]\nkind = 'mcp'\n", "", "", "env.foo.command: @:1:6: "},
		{"url", "[env.foo]\nkind = 'openenv'\nurl = '::'\n", "", "", "env.foo.url: @:3:1: "},
		{"no url", "[env.foo]\nkind = 'agentgym'\n", "", "", "env.foo.url: @:1:6: "},
		{"option", "[env.foo]\nkind = 'mcp'\nurl = 'http://x'\n[env.foo.options]\ntimeout = 'é'\n", "", "",
			"env.foo.options.timeout: @:5:1: "},
		{"inline option", "[env]\n'foo' = {kind = 'mcp', url = 'http://x', options = {timeout = 'é'}}\n", "", "",
			"env.foo.options.timeout: @:2:53: "},
		{"option in a variable", "[env.foo]\nkind = 'mcp'\nurl = 'http://x'\n", "",
			"SPARKD_ENV_FOO_OPTIONS=timeout=x", "env.foo.options.timeout: SPARKD_ENV_FOO_OPTIONS: "},
		{"variable over the file", "[api]\ntoken_file = '/a'\n", "", "SPARKD_API_TOKEN_FILE=/nope",
			"api.token_file: SPARKD_API_TOKEN_FILE: "},
		{"flag over the file", "[engine]\nmodel = '/a'\n", "--model=/nope.gguf", "", "engine.model: --model: "},
		{"--set", "", "--set=api.token_file=/nope", "", "api.token_file: --set api.token_file: "},
		{"bad value in --set", "", "--set=daemon.trees=x", "",
			"daemon.trees: --set daemon.trees: \"x\" is not a whole number\n" +
				"  remedy: correct --set daemon.trees\n"},
		{"unknown setting in --set", "[daemon]\ntrees = 3\n", "--set=daemon.tres=3", "",
			"daemon.tres: --set daemon.tres: unknown setting\n  remedy: correct --set: did you mean"},
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
				if code != exitUsage || !strings.Contains(errs.String(), want) {
					t.Errorf("%s: exit %d\n%swant %s", command[0], code, &errs, want)
				}
			}
		})
	}
}

// What serve refuses without having started anything, --check refuses in the same words; and it makes nothing.
func TestCheckRefusesWhatServeDoes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, file := range []string{
		"[api]\nlisten = '192.0.2.1:0'\ntoken = 'x'\n",
		"[api]\nlisten = '" + taken.Addr().String() + "'\n",
		"[api]\nlisten = 'no.such.host.invalid:0'\ntoken = 'x'\n",
		"[api]\nlisten = 'http://127.0.0.1:8787'\n",
		"[api]\nlisten = '127.0.0.1'\n",
		"[api]\ntoken = 'x'\ntoken_file = '/nope'\n",
		"[store]\nmin_free = '1000000TiB'\n",
		"[env.foo]\nkind = 'mcp'\ncommand = ['/nope/prog']\n",
		"[env.foo]\nkind = 'exec'\ncommand = ['/etc/passwd']\n",
		"[env.foo]\nkind = 'exec'\ncommand = ['']\n",
		"[env.foo]\nkind = 'mcp'\ncommand = ['cat']\nurl = 'http://x'\n",
		"[engine]\nkind = 'remote'\n",
		"[engine]\nreplicas = ['http://x']\n",
		"[engine]\nmodel = ''\n",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "sparkd.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		said := map[string]string{}
		for _, command := range [][]string{{"config", "--check", path}, {"serve", "-c", path}} {
			var out, errs screenText
			listen := "SPARKD_API_LISTEN=127.0.0.1:0"
			if strings.Contains(file, "[api]") {
				listen = "HOME=" + dir
			}
			c := &cli{stdout: &out, stderr: &errs}
			c.environ = []string{listen, "SPARKD_DAEMON_DATA=" + filepath.Join(dir, "data")}
			code := c.main(nil, command)
			_, said[command[0]], _ = strings.Cut(errs.String(), "sparkd: ")
			if code == exitOK || said[command[0]] == "" {
				t.Errorf("%s\n%s: exit %d\n%s", file, command[0], code, &errs)
			}
			if _, err := os.Stat(filepath.Join(dir, "data")); command[0] == "config" && err == nil {
				t.Errorf("%s\n--check made the data folder", file)
			}
		}
		if said["serve"] != said["config"] {
			t.Errorf("%s\nserve says %s\n--check says %s", file, said["serve"], said["config"])
		}
	}
}

// The configuration of a daemon that runs is valid: the folder and the port are its own.
func TestCheckBesideItsDaemon(t *testing.T) {
	s := newSession(t)
	path := filepath.Join(s.dir, "sparkd.toml")
	addr, stop := s.serve(&daemontest.Engine{})
	defer stop()
	for listen, code := range map[string]int{addr: exitOK, "127.0.0.1:0": exitFailure} {
		file := "[daemon]\ndata = '" + s.data + "'\n[api]\nlisten = '" + listen + "'\n"
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs screenText
		if got := (&cli{stdout: &out, stderr: &errs}).main(nil, []string{"config", "--check", path}); got != code {
			t.Errorf("%s: exit %d\n%s", file, got, &errs)
		}
	}
}
