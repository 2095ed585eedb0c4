package daemon

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"sparkd"
)

const shipped = "../config.toml"

// config.toml decodes to the defaults, has every key of the struct and no other, and
// says one thing about each.
func TestShippedConfigIsTheDefault(t *testing.T) {
	l, err := Load(shipped, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(l.Config, want) {
		t.Errorf("config.toml decodes to\n%+v\nthe defaults are\n%+v", l.Config, want)
	}
	var file map[string]map[string]any
	if _, err := toml.DecodeFile(shipped, &file); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, k := range keysOf(&l.Config) {
		known = append(known, k.String())
		if _, ok := file[k.section][k.name]; !ok {
			t.Errorf("config.toml lacks %s", k)
		}
		if k.name == "" || k.section == "" {
			t.Errorf("field %v has no toml tag", k.value.Type())
		}
	}
	for section, values := range file {
		for name := range values {
			if !slices.Contains(known, section+"."+name) {
				t.Errorf("config.toml has %s.%s, the struct has not", section, name)
			}
		}
	}
	checkComments(t)
}

func checkComments(t *testing.T) {
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	before := ""
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "=") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(before, "# ") {
			t.Errorf("no comment above %q", line)
		}
		before = line
	}
}

func TestPrecedence(t *testing.T) {
	path := writeConfig(t, "[daemon]\ntrees = 3\nqueue = 5\ndrain = '1m'\n[engine]\nthreads = 2\n")
	l, err := Load(path, []string{"SPARKD_DAEMON_QUEUE=6", "SPARKD_DAEMON_DRAIN=2m", "HOME=/x"}, map[string]string{"daemon.drain": "3m"})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Daemon.Trees != 3 || c.Daemon.Queue != 6 || c.Daemon.Drain != Duration(3*time.Minute) || c.Engine.Threads != 2 {
		t.Errorf("got %+v %+v", c.Daemon, c.Engine)
	}
	for key, want := range map[string]string{
		"daemon.trees": "file " + path, "daemon.queue": "env SPARKD_DAEMON_QUEUE", "daemon.drain": "flag", "api.listen": "default",
	} {
		if got := l.Sources[key]; got != want {
			t.Errorf("source of %s is %q, want %q", key, got, want)
		}
	}
}

func TestBadConfig(t *testing.T) {
	tests := []struct {
		name, file  string
		env         []string
		flags       map[string]string
		field, says string
	}{
		{"unknown key", "[daemon]\n\ntreees = 3\n", nil, nil, "daemon.treees", `:3: there is no such setting (did you mean "trees"?)`},
		{"unknown section", "[deamon]\ntrees = 3\n", nil, nil, "deamon", `:1: there is no such setting (did you mean "daemon"?)`},
		{"key outside a section", "trees = 3\n", nil, nil, "trees", ":1: there is no such setting (known here: api, daemon, engine, env, log, sampler, store)"},
		{"far from every key", "[log]\ncolour_of_the_sky = 3\n", nil, nil, "log.colour_of_the_sky", "(known here: level, format)"},
		{"wrong type", "[daemon]\ntrees = 'many'\n", nil, nil, "daemon.trees", ":2: many is not a whole number"},
		{"duration without unit", "[daemon]\ndrain = 30\n", nil, nil, "daemon.drain", `"30" is not a duration`},
		{"negative duration", "[daemon]\ndrain = '-1s'\n", nil, nil, "daemon.drain", "not a duration"},
		{"size without unit", "[api]\nmax_body = '64'\n", nil, nil, "api.max_body", `for example "64MiB"`},
		{"size that overflows", "[api]\nmax_body = '9999999999TiB'\n", nil, nil, "api.max_body", "is not a size"},
		{"syntax", "[daemon\ntrees = 3\n", nil, nil, "config", "line 2"},
		{"section as value", "daemon = 3\n", nil, nil, "daemon", ":1: this is no section"},
		{"section as array", "[[log]]\nlevel = 'info'\n", nil, nil, "log", ":1: this is no section"},
		{"range", "[daemon]\ntrees = 0\n", nil, nil, "daemon.trees", "0 is out of range (use 1 to 4096)"},
		{"choice", "[store]\nsync = 'never'\n", nil, nil, "store.sync", `unknown value "never" (one of always, round, os)`},
		{"open without token", "[api]\nlisten = '0.0.0.0:80'\n", nil, nil, "api.token", "no token is set (set api.token_file"},
		{"no port", "[api]\nlisten = 'localhost'\n", nil, nil, "api.listen", "write host:port"},
		{"both tokens", "[api]\ntoken = 'a'\ntoken_file = 'b'\n", nil, nil, "api.token_file", "both are set"},
		{"variable", "", []string{"SPARKD_DAEMON_TREE=3"}, nil, "SPARKD_DAEMON_TREE", "did you mean SPARKD_DAEMON_TREES?"},
		{"variable of a known section", "", []string{"SPARKD_STORE_COMPRESSION=3"}, nil, "SPARKD_STORE_COMPRESSION", "variables are SPARKD_SECTION_KEY"},
		{"variable of an environment that is not configured", "", []string{"SPARKD_ENV_CHESS_URL=x"}, nil, "SPARKD_ENV_CHESS_URL", "unknown environment variable"},
		{"misspelt section", "", []string{"SPARKD_DEAMON_QUEUE=3"}, nil, "SPARKD_DEAMON_QUEUE", "did you mean SPARKD_DAEMON_QUEUE?"},
		{"misspelt section and key", "", []string{"SPARKD_DEAMON_PARALLEL=3"}, nil, "SPARKD_DEAMON_PARALLEL", "variables are SPARKD_SECTION_KEY"},
		{"misspelt variable that is no setting", "", []string{"SPARKD_CONFG=x"}, nil, "SPARKD_CONFG", "did you mean SPARKD_CONFIG?"},
		{"value of a variable", "", []string{"SPARKD_DAEMON_TREES=x"}, nil, "daemon.trees", `"x" is not a whole number (correct the environment variable SPARKD_DAEMON_TREES)`},
		{"flag", "", nil, map[string]string{"daemon.tres": "1"}, "daemon.tres", `did you mean "daemon.trees"?`},
		{"prompt style", "", nil, map[string]string{"sampler.prompt": "terse"}, "sampler.prompt", `unknown value "terse" (one of auto, paper, compact)`},
		{"bool", "", nil, map[string]string{"engine.prefix_cache": "maybe"}, "engine.prefix_cache", "neither true nor false"},
		{"threads", "", nil, map[string]string{"engine.threads": "0"}, "engine.threads", `neither "auto" nor a number`},
		{"cells", "", nil, map[string]string{"engine.cells": "0"}, "engine.cells", `neither "auto" nor a number`},
		{"too few cells", "[engine]\ncells = 15\n", nil, nil, "engine.cells", "15 is out of range (use 16 to 16777216"},
		{"servers that nobody asks", "[engine]\nreplicas = ['http://127.0.0.1:8000']\n", nil, nil, "engine.kind", `which asks none (set it to "remote"`},
		{"too many cells", "", nil, map[string]string{"engine.cells": "16777217"}, "engine.cells", "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := ""
			if tt.file != "" {
				path = writeConfig(t, tt.file)
			}
			_, err := Load(path, tt.env, tt.flags)
			var e *sparkd.Error
			if !errors.As(err, &e) {
				t.Fatalf("Load: %v, want an error about %s", err, tt.field)
			}
			if e.Code != sparkd.CodeInvalid || e.Field != tt.field || !strings.Contains(e.Error(), tt.says) {
				t.Errorf("got %s %q\nwant field %s and %q", e.Code, e, tt.field, tt.says)
			}
		})
	}
}

// Variables of the scripts and tests of this repository, and of anybody else, are none of the
// configuration's business.
func TestForeignVariables(t *testing.T) {
	for _, name := range []string{"CONFIG", "ADDR", "CACHE", "TRAIN_PYTHON", "ALFWORLD_PYTHON", "BENCH", "BENCH_MODEL", "BENCH_THREADS", "BUNDLED_URL",
		"LLAMA_SERVER", "LLAMA_MODEL", "VLLM_URL", "CONFORMANCE_URL", "CONFORMANCE_OLLAMA", "TEST_MODEL", "TEST_ENVS", "TEST_TOKEN", "TEST_DIR",
		"MCP_DAEMON", "EXEC_DAEMON", "RECORD_COMMAND", "FIXTURE", "DEFECT", "HOME", "LOGS", ""} {
		if _, err := Load("", []string{"SPARKD_" + name + "=x"}, nil); err != nil {
			t.Errorf("SPARKD_%s: %v", name, err)
		}
	}
}

func TestEveryFaultIsReported(t *testing.T) {
	_, err := Load(writeConfig(t, "[daemon]\ntrees = 'x'\nquee = 1\n[log]\nlevel = 3\n"), nil, nil)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Errorf("want 3 faults, got %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.toml"), nil, nil)
	if e := sparkd.AsError(err); e.Field != "config" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// What Print writes is a configuration file again, with the secret masked.
func TestPrintReadsBack(t *testing.T) {
	path := writeConfig(t, "[daemon]\ntrees = 3\n[api]\ntoken = 'hunter2'\nmax_body='2MiB'\n[engine]\nthreads = 4\nmodel='/a \"b\"'\n")
	l, err := Load(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := l.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the token is printed:\n%s", &out)
	}
	again, err := Load(writeConfig(t, out.String()), nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	again.Config.API.Token = l.Config.API.Token
	if !reflect.DeepEqual(again.Config, l.Config) {
		t.Errorf("printed\n%s\nwhich reads as %+v", &out, again.Config)
	}
	if !strings.Contains(out.String(), "# file "+path) {
		t.Errorf("no source in\n%s", &out)
	}
}

func TestValuesRoundTrip(t *testing.T) {
	for _, text := range []string{"30s", "5m", "1h30m", "1h", "1.5s", "0s", "250ms"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := d.MarshalText(); string(got) != text {
			t.Errorf("duration %s is written %s", text, got)
		}
	}
	for _, text := range []string{"0B", "1B", "64MiB", "1KiB", "3GiB", "1025B"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.MarshalText(); string(got) != text {
			t.Errorf("size %s is written %s", text, got)
		}
	}
}

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(" s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (&APIConfig{TokenFile: path}).BearerToken(); got != "s3cret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := (&APIConfig{TokenFile: path + "x"}).BearerToken(); sparkd.AsError(err).Field != "api.token_file" {
		t.Errorf("missing file: %v", err)
	}
}

// FuzzLoad: no file makes Load panic, and what is wrong is always named.
func FuzzLoad(f *testing.F) {
	f.Add("[daemon]\ntrees = 3\n")
	f.Add("daemon.trees = 3\ndaemon = 4")
	f.Add("[[daemon]]\ntrees = 3\n")
	f.Add("[daemon.trees]\nx = 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Load(writeConfig(t, text), nil, nil)
		if err == nil {
			return
		}
		if e := sparkd.AsError(err); e.Field == "" || e.Remedy == "" || e.Code != sparkd.CodeInvalid {
			t.Errorf("%#v", e)
		}
	})
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sparkd.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
