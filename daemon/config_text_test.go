package daemon

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestBadVariables(t *testing.T) {
	for _, tt := range []struct{ name, variable, field, says string }{
		{"of no setting", "SPARKD_DAEMON_TREE=3", "SPARKD_DAEMON_TREE", "did you mean SPARKD_DAEMON_TREES?"},
		{"of a known section", "SPARKD_STORE_COMPRESSION=3", "SPARKD_STORE_COMPRESSION",
			"variables are SPARKD_SECTION_KEY"},
		{"of an environment that is not configured", "SPARKD_ENV_CHESS_URL=x", "SPARKD_ENV_CHESS_URL",
			"unknown environment variable"},
		{"misspelt section", "SPARKD_DEAMON_QUEUE=3", "SPARKD_DEAMON_QUEUE", "did you mean SPARKD_DAEMON_QUEUE?"},
		{"misspelt section and key", "SPARKD_DEAMON_PARALLEL=3", "SPARKD_DEAMON_PARALLEL",
			"variables are SPARKD_SECTION_KEY"},
		{"misspelt, no setting", "SPARKD_CONFG=x", "SPARKD_CONFG", "did you mean SPARKD_CONFIG?"},
		{"value", "SPARKD_DAEMON_TREES=x", "daemon.trees",
			`"x" is not a whole number (correct the environment variable SPARKD_DAEMON_TREES)`},
		{"range", "SPARKD_DAEMON_TREES=0", "daemon.trees", "SPARKD_DAEMON_TREES: 0 is out of range (use 1 to 4096)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("", []string{tt.variable}, nil)
			wantFault(t, err, tt.field, tt.says)
		})
	}
}

func TestBadFlags(t *testing.T) {
	for _, tt := range []struct{ flag, value, field, says string }{
		{"daemon.tres", "1", "daemon.tres", `did you mean "daemon.trees"?`},
		{"sampler.prompt", "terse", "sampler.prompt", `unknown value "terse" (one of auto, paper, compact)`},
		{"engine.prefix_cache", "maybe", "engine.prefix_cache", "neither true nor false"},
		{"engine.threads", "0", "engine.threads", `neither "auto" nor a number`},
		{"engine.cells", "0", "engine.cells", `neither "auto" nor a number`},
		{"engine.cells", "16777217", "engine.cells", "out of range"},
		{"engine.replicas", `["http://a"`, "engine.replicas", `["http://a" is not a list of texts`},
		{"daemon.trees", "x", "daemon.trees", `"x" is not a whole number (correct --set daemon.trees)`},
		{"daemon.queues", "1", "daemon.queues", `correct --set: did you mean "daemon.queue"?`},
		// The file is not at fault.
		{"api.listen", "0.0.0.0:80", "api.token", `api.token: "0.0.0.0:80" can be reached`},
	} {
		t.Run(tt.flag, func(t *testing.T) {
			_, err := Load(writeConfig(t, "[api]\nstreams = 3\n"), nil, map[string]string{tt.flag: tt.value})
			wantFault(t, err, tt.field, tt.says)
		})
	}
}

// Lists in variables and flags are TOML's or words; what separates the words depends on what they may contain.
func TestListsAsText(t *testing.T) {
	two := []string{"http://a", "http://b"}
	for _, tt := range []struct {
		key, text string
		want      []string
	}{
		{"engine.replicas", `["http://a","http://b"]`, two},
		{"engine.replicas", `['http://a', 'http://b',]`, two},
		{"engine.replicas", "http://a,http://b", two},
		{"engine.replicas", " http://a , http://b", two},
		{"engine.replicas", "http://a http://b", two},
		{"env.x.command", "prog a,b c", []string{"prog", "a,b", "c"}},
		{"env.x.command", `["prog", "a b"]`, []string{"prog", "a b"}},
	} {
		file := writeConfig(t, "[engine]\nkind = 'remote'\nreplicas = ['http://z']\n[env.x]\nkind = 'exec'\n")
		variable := "SPARKD_" + strings.ToUpper(strings.ReplaceAll(tt.key, ".", "_")) + "=" + tt.text
		fromVariable, err := Load(file, []string{variable}, nil)
		fromFlag, err2 := Load(file, nil, map[string]string{tt.key: tt.text})
		if err = errors.Join(err, err2); err != nil {
			t.Fatalf("%s=%s: %v", tt.key, tt.text, err)
		}
		for _, c := range []Config{fromVariable.Config, fromFlag.Config} {
			got := c.Remote.Replicas
			if tt.key == "env.x.command" {
				got = c.Env["x"].Command
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s=%s: %q", tt.key, tt.text, got)
			}
		}
	}
}
