package daemon

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd"
	"sparkd/api"
	"sparkd/internal/settings"
)

const shipped = "../config.toml"

// shippedSettings reads config.toml line by line: the keys and values in their order, and
// the comment above each.
func shippedSettings(t *testing.T) (lines [][2]string, comments map[string]string) {
	t.Helper()
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	section, comment := "", ""
	comments = map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, " = ")
		switch {
		case strings.HasPrefix(line, "#"):
			comment += line[1:]
		case strings.HasPrefix(line, "["):
			section, comment = strings.Trim(line, "[]"), ""
		case ok:
			key := section + "." + name
			lines, comments[key] = append(lines, [2]string{key, value}), comment
			comment = ""
		}
	}
	return lines, comments
}

// config.toml has every setting with its default and no other, in the order of the structs,
// and above each a comment that names what may be chosen.
func TestShippedConfigIsTheDefault(t *testing.T) {
	l, err := Load(shipped, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	if !reflect.DeepEqual(l.Config, want) {
		t.Errorf("config.toml decodes to\n%+v\nthe defaults are\n%+v", l.Config, want)
	}
	lines, comments := shippedSettings(t)
	var defaults [][2]string
	for _, s := range settings.List(&want) {
		defaults = append(defaults, [2]string{s.Key(), s.String()})
		comment := comments[s.Key()]
		if comment == "" {
			t.Errorf("no comment above %s", s.Key())
		}
		for _, choice := range s.Choices() {
			if !strings.Contains(comment, choice) {
				t.Errorf("the comment above %s lacks %s", s.Key(), choice)
			}
		}
	}
	if !slices.Equal(lines, defaults) {
		t.Errorf("config.toml has\n%q\nthe structs say\n%q", lines, defaults)
	}
}

func TestPrecedence(t *testing.T) {
	path := writeConfig(t, "[daemon]\ntrees = 3\nqueue = 5\ndrain = '1m'\n[engine]\nthreads = 2\n")
	environ := []string{"SPARKD_DAEMON_QUEUE=6", "SPARKD_DAEMON_DRAIN=2m", "HOME=/x"}
	l, err := Load(path, environ, map[string]string{"daemon.drain": "3m"})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.Daemon.Trees != 3 || c.Daemon.Queue != 6 || c.Daemon.Drain != 3*time.Minute || c.Embedded.Threads != 2 {
		t.Errorf("got %+v %+v", c.Daemon, c.Engine)
	}
	for key, want := range map[string]string{
		"daemon.trees": "file " + path, "daemon.queue": "env SPARKD_DAEMON_QUEUE",
		"daemon.drain": "flag", "api.listen": "default",
	} {
		if got := l.Sources[key]; got != want {
			t.Errorf("source of %s is %q, want %q", key, got, want)
		}
	}
}

// What is wrong with a file is said with the place, the key and what would be right.
func TestBadFile(t *testing.T) {
	for _, tt := range []struct{ name, file, field, says string }{
		{"unknown key", "[daemon]\n\n  treees = 3\n", "daemon.treees",
			`:3:3: there is no such setting (did you mean "trees"?)`},
		{"unknown key in an inline table", "daemon = { trees = 3, treees = 3 }\n", "daemon.treees",
			`:1:23: there is no such setting (did you mean "trees"?)`},
		{"unknown dotted key", "daemon.treees = 3\n", "daemon.treees",
			`:1:8: there is no such setting (did you mean "trees"?)`},
		{"unknown section", "[deamon]\ntrees = 3\n", "deamon",
			`:1:2: there is no such setting (did you mean "daemon"?)`},
		{"key outside a section", "trees = 3\n", "trees",
			":1:1: there is no such setting (known here: api, daemon, engine, env, log, sampler, store)"},
		{"far from every key", "[log]\ncolour_of_the_sky = 3\n", "log.colour_of_the_sky",
			":2:1: there is no such setting (known here: level, format)"},
		{"wrong type", "[daemon]\ntrees = 'many'\n", "daemon.trees",
			`:2:1: "many" is not a whole number (the default is trees = 8)`},
		{"number in quotes", "[daemon]\nqueue = \"64\"\n", "daemon.queue", `:2:1: "64" is not a whole number`},
		{"behind characters of several bytes", "api = { 'é' = 3 }\n", "api.é", ":1:9: there is no such setting"},
		{"after characters of several bytes", "env.é-1 = 3\n", "config", ":1:5: "},
		{"after a value of several bytes", "log = { level = 'é', formatt = 3 }\n", "log.formatt",
			":1:22: there is no such setting"},
		{"syntax after characters of several bytes", "[log]\nlevel = 'éé' x\n", "config", ":2:14: "},
		{"fraction", "[daemon]\ntrees = 1.5\n", "daemon.trees", ":2:1: 1.5 is not a whole number"},
		{"date", "[daemon]\ntrees = 2026-01-01\n", "daemon.trees", ":2:1: 2026-01-01 is not a whole number"},
		{"no list", "[engine]\nreplicas = 'http://a'\n", "engine.replicas",
			`:2:1: "http://a" is not a list of texts such as ["a", "b"]`},
		{"list of numbers", "[engine]\nreplicas = [1]\n", "engine.replicas", ":2:1: [1] is not a list"},
		{"list of a text and a number", "[engine]\nreplicas = ['a', 1]\n", "engine.replicas",
			`:2:1: ["a", 1] is not a list`},
		{"address of no server", "[engine]\nkind = 'remote'\nreplicas = ['ftp://x']\n", "engine.replicas",
			`:3:1: cannot use "ftp://x" (write the address`},
		{"no table", "[env.x]\nkind = 'exec'\noptions = 3\n", "env.x.options", ":3:1: 3 is not a table"},
		{"list in a table", "[env.x.options]\na = [1]\n", "env.x.options", ":1:8: a: [1] is no text"},
		{"table for a number", "[daemon.trees]\nx = 1\n", "daemon.trees", ":1:9: map[x:1] is not a whole number"},
		{"duration without unit", "[daemon]\ndrain = 30\n", "daemon.drain", `:2:1: "30" is not a duration`},
		{"negative duration", "[daemon]\ndrain = '-1s'\n", "daemon.drain", ":2:1: \"-1s\" is not a duration"},
		{"truth for a duration", "[daemon]\ndrain = true\n", "daemon.drain", `:2:1: "true" is not a duration`},
		{"no time", "[api]\nread_timeout = '0s'\n", "api.read_timeout",
			`:2:1: "0s" is not above zero (use for example "30s")`},
		{"size without unit", "[api]\nmax_body = '64'\n", "api.max_body", `for example "64MiB"`},
		{"size that overflows", "[api]\nmax_body = '9999999999TiB'\n", "api.max_body",
			":2:1: \"9999999999TiB\" is not a size"},
		{"size out of range", "[api]\nmax_body = '2GiB'\n", "api.max_body",
			`:2:1: "2GiB" is out of range (use "1KiB" to "1GiB")`},
		{"syntax", "[daemon\ntrees = 3\n", "config", ":1:8: expected ']'"},
		{"key twice", "[daemon]\ntrees = 3\ntrees = 4\n", "config", ":3:1: key trees"},
		{"section twice", "[daemon]\n[api]\n [daemon]\n", "config", ":3:3: table daemon already exists"},
		{"section as value", "daemon = 3\n", "daemon",
			":1:1: this is no section (write its settings below a line [daemon])"},
		{"section as array", "[[log]]\nlevel = 'info'\n", "log", ":1:3: this is no section"},
		{"environment as value", "[env]\nx = 3\n", "env.x", ":2:1: this is no section"},
		{"range", "[daemon]\ntrees = 0\n", "daemon.trees", ":2:1: 0 is out of range (use 1 to 4096)"},
		{"choice", "[store]\nsync = 'never'\n", "store.sync",
			`:2:1: unknown value "never" (one of always, round, os)`},
		{"dialect", "[engine]\ndialect = 'morse'\n", "engine.dialect", `:2:1: unknown value "morse" (one of auto, `},
		{"open without token", "[api]\nlisten = '0.0.0.0:80'\n", "api.token",
			`:1:2: "0.0.0.0:80" can be reached from other machines and no token is set (set api.token_file`},
		{"no port", "[api]\nlisten = 'localhost'\n", "api.listen",
			`:2:1: cannot listen on "localhost" (write host:port`},
		{"both tokens", "[api]\ntoken = 'a'\ntoken_file = 'b'\n", "api.token_file", ":3:1: both are set"},
		{"too few cells", "[engine]\ncells = 15\n", "engine.cells",
			`:2:1: 15 is out of range (use 16 to 16777216, or "auto")`},
		{"servers that nobody asks", "[engine]\nreplicas = ['http://127.0.0.1:8000']\n", "engine.kind",
			`:1:2: engine.replicas names servers, and engine.kind is "embedded", which asks none (set it to "remote"`},
		{"no servers", "[engine]\nkind = 'remote'\n", "engine.replicas",
			":1:2: engine.kind is remote and there is no replica"},
		{"environment without a kind", "[env.x]\ndata = '/a'\n", "env.x.kind",
			`:1:6: unknown value "" (one of alfworld,`},
		{"environment of a taken name", "[env.household]\nkind = 'alfworld'\n", "env.household",
			":1:6: household is built in"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeConfig(t, tt.file)
			_, err := Load(path, nil, nil)
			wantFault(t, err, tt.field, tt.says)
			if err != nil && !strings.HasPrefix(sparkd.AsError(err).Message, path+":") {
				t.Errorf("no place in %v", err)
			}
		})
	}
}

func wantFault(t *testing.T, err error, field, says string) {
	t.Helper()
	var e *sparkd.Error
	if !errors.As(err, &e) {
		t.Fatalf("Load: %v, want an error about %s", err, field)
	}
	if e.Code != sparkd.CodeInvalid || e.Field != field || !strings.Contains(e.Error(), says) {
		t.Errorf("got %s %q\nwant field %s and %q", e.Code, e, field, says)
	}
}

// Settings that are gone are named and change nothing, wherever they stand.
func TestSettingsThatAreGone(t *testing.T) {
	path := writeConfig(t, "[api]\nheartbeat = '1s'\nidle_timeout = '2m'\n[engine]\nqueue = 4\n")
	l, err := Load(path, []string{"SPARKD_ENGINE_CHUNK=64"}, map[string]string{"engine.queue": "3"})
	if err != nil || !reflect.DeepEqual(l.Config, Default()) {
		t.Fatalf("%+v, %v", l.Config, err)
	}
	want := [][2]string{
		{"api.heartbeat", path + ":2:1: this setting is gone and changes nothing: a silent event stream sends"},
		{"api.idle_timeout", path + ":3:1: this setting is gone"},
		{"engine.queue", path + ":5:1: this setting is gone"},
		{"engine.chunk", "SPARKD_ENGINE_CHUNK: this setting is gone and changes nothing: a forward"},
		{"engine.queue", "this setting is gone"},
	}
	if len(l.Warnings) != len(want) {
		t.Fatalf("%v", l.Warnings)
	}
	for i, w := range want {
		got := l.Warnings[i]
		if got.Field != w[0] || !strings.HasPrefix(got.Message, w[1]) || got.Remedy != "take it out" {
			t.Errorf("%+v, want %q", got, w)
		}
	}
	if _, err := Load("", nil, map[string]string{"engine.chunks": "3"}); err == nil {
		t.Error("a name near one that is gone is taken")
	}
}

// A byte order mark, Windows' line ends and sections in pieces are TOML too.
func TestFormsOfAFile(t *testing.T) {
	path := writeConfig(t, "\ufeffdaemon.trees = 1_0\r\n[env.x]\r\nkind = 'exec'\r\ncommand = ['a']\r\n"+
		"[env.x.options]\r\nseed = 3\r\nfast = true\r\n")
	l, err := Load(path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if x := l.Config.Env["x"]; l.Config.Daemon.Trees != 10 || !reflect.DeepEqual(x.Command, []string{"a"}) ||
		!reflect.DeepEqual(x.Options, map[string]string{"seed": "3", "fast": "true"}) {
		t.Errorf("%+v %+v", l.Config.Daemon, x)
	}
}

// Variables of the scripts and tests of this repository, and of anybody else, are none of the
// configuration's business.
func TestForeignVariables(t *testing.T) {
	for _, name := range []string{"CONFIG", "ADDR", "CACHE", "TRAIN_PYTHON", "ALFWORLD_PYTHON", "BENCH", "BENCH_MODEL",
		"BENCH_THREADS", "BUNDLED_URL", "LLAMA_SERVER", "LLAMA_MODEL", "VLLM_URL", "CONFORMANCE_URL",
		"CONFORMANCE_OLLAMA", "TEST_MODEL", "TEST_ENVS", "TEST_TOKEN", "TEST_DIR",
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
	path := writeConfig(t, "[daemon]\ntrees = 3\n[api]\ntoken = 'hunter2'\nmax_body='2MiB'\n"+
		"[engine]\nthreads = 4\nmodel='/a \"b\"'\n")
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

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(" s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (&api.Options{TokenFile: path}).BearerToken(); got != "s3cret" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := (&api.Options{TokenFile: path + "x"}).BearerToken(); sparkd.AsError(err).Field != "api.token_file" {
		t.Errorf("missing file: %v", err)
	}
}

// FuzzLoad: no file makes Load panic, and what is wrong is named with its place.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"[daemon]\ntrees = 3\n", "daemon.trees = 3\ndaemon = 4", "[[daemon]]\ntrees = 3\n", "[daemon.trees]\nx = 1\n",
		"env = {x = {kind = 'exec', options = {a = [{b = 1}]}}}", "[env.x.y.z]\n'a.b' = 1979-05-27T07:32:00Z\n",
		"\"daemon.trees\" = nan\n\"\" = 1\n[\"\"]\n[env.\"\"]\n", "[api]\nmax_body = \"\"\"\n1KiB\"\"\"\nqueue = 0x_1",
		"[engine]\nqueue = 1\nchunk = {}", "\ufeff\xff = 1", "[api]\nlisten = ':80'\n[engine]\nkind = 'remote'",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := writeConfig(t, text)
		l, err := Load(path, nil, nil)
		place := regexp.MustCompile(`^` + regexp.QuoteMeta(path) + `:[1-9]\d*:[1-9]\d*: `)
		faults := []error{err}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			faults = joined.Unwrap()
		}
		if err == nil {
			faults = nil
		}
		for _, w := range l.Warnings {
			faults = append(faults, w)
		}
		for _, f := range faults {
			e := sparkd.AsError(f)
			unnamed := strings.Contains(text, `""`) || strings.Contains(text, "''") // TOML knows the empty key
			if e.Field == "" && !unnamed || e.Remedy == "" || e.Code != sparkd.CodeInvalid ||
				!place.MatchString(e.Message) {
				t.Errorf("%#v", e)
			}
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
