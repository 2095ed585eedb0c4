package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
)

// session runs commands on one data folder with the scripted engine.
type session struct {
	t    *testing.T
	data string
	dir  string
}

func newSession(t *testing.T) *session {
	dir := t.TempDir()
	return &session{t, filepath.Join(dir, "data"), dir}
}

// result is what a command left.
type result struct {
	code           int
	stdout, stderr string
}

// screenText collects what is written by several goroutines. The text behind mark, up
// to the next quote or line end, goes to found once.
type screenText struct {
	mu    sync.Mutex
	text  strings.Builder
	mark  string
	found chan string
}

func (b *screenText) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if b.mark == "" {
		return len(p), nil
	}
	if _, rest, ok := strings.Cut(b.text.String(), b.mark); ok {
		if end := strings.IndexAny(rest, "\"\n"); end >= 0 {
			b.mark = ""
			b.found <- rest[:end]
		}
	}
	return len(p), nil
}

func (b *screenText) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// run runs a command; its --data is the session's.
func (s *session) run(args ...string) result {
	s.t.Helper()
	var out, errs screenText
	code := s.cli(&daemontest.Engine{}, &out, &errs).main(nil, args)
	return result{code, out.String(), errs.String()}
}

// cli is a command line on the session's data, with the scripted engine and the corridor.
func (s *session) cli(engine sparkd.Engine, stdout, stderr io.Writer) *cli {
	corridor := func(context.Context, string) (sparkd.Env, error) { return &daemontest.Corridor{}, nil }
	return &cli{
		environ: []string{"SPARKD_DAEMON_DATA=" + s.data, "SPARKD_API_LISTEN=127.0.0.1:0"},
		stdout:  stdout, stderr: stderr,
		parts: daemon.Parts{Engine: engine, OpenEnv: corridor},
	}
}

func (s *session) must(args ...string) result {
	s.t.Helper()
	r := s.run(args...)
	if r.code != exitOK {
		s.t.Fatalf("sparkd %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r
}

// job runs a small rollout and returns its result and the path of its lines.
func (s *session) job(id string, more ...string) (result, string) {
	s.t.Helper()
	out := filepath.Join(s.dir, id+".jsonl")
	args := []string{"run", "--id", id, "--tasks", "2", "--max-steps", "6", "--seed", "3", "--out", out}
	return s.must(append(args, more...)...), out
}

var ulids = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`)

// timeless replaces what differs from run to run.
func (s *session) timeless(text string) []byte {
	return []byte(ulids.ReplaceAllString(strings.ReplaceAll(text, s.dir, "DIR"), "ULID"))
}

func TestHelp(t *testing.T) {
	s := newSession(t)
	text := s.must("help").stdout
	golden(t, "help.txt", []byte(text))
	for _, cmd := range (&cli{}).root().Commands() {
		name := cmd.Name()
		h := s.must("help", name).stdout
		if h != s.must(name, "--help").stdout || h != s.must(name, "-h").stdout {
			t.Errorf("help %s and %s --help differ", name, name)
		}
		if _, example, _ := strings.Cut(h, "Examples:\n  "); !strings.Contains(example, "sparkd "+name) {
			t.Errorf("%s --help has no example", name)
		}
		text += "\n$ sparkd help " + name + "\n" + h
	}
	golden(t, "help-all.txt", s.timeless(text))
}

func TestUsageErrors(t *testing.T) {
	s := newSession(t)
	for _, args := range [][]string{
		{}, {"grow"}, {"tree"}, {"tree", "a", "b"}, {"serve", "now"}, {"run", "--leaves", "many"},
		{"run", "--no-such-flag"},
		{"run", "--roots", "9"}, {"run", "--policy", ""}, {"config", "--set", "daemon.tres=3"},
		{"config", "--set", "daemon"},
		{"config", "--check", "none.toml"}, {"run", "--advantage", "gae"}, {"run", "--spec", "none.json"},
		{"run", "--policy", "best"}, {"run", "--split", "test"},
	} {
		r := s.run(args...)
		if r.code != exitUsage || r.stdout != "" || r.stderr == "" {
			t.Errorf("sparkd %s: exit %d, %q, %q", strings.Join(args, " "), r.code, r.stdout, r.stderr)
		}
	}
}

func TestRunShowsWhatItGrew(t *testing.T) {
	s := newSession(t)
	r, out := s.job("first")
	drawn, rest, _ := strings.Cut(strings.TrimPrefix(r.stdout, "\n"), "\n\n")
	if id := ulids.FindString(drawn); s.must("tree", id).stdout != drawn+"\n" ||
		!strings.Contains(drawn, "⑂ 2 tag:explore") {
		t.Errorf("the tree with most forks is drawn as\n%s", drawn)
	}
	for _, want := range []string{
		"task ", "household/train/0 ", "household/train/1 ", "all ",
		"of 16 trajectories reached the goal · rollout first · " + out + "\n",
	} {
		if !strings.Contains(rest, want) {
			t.Errorf("no %q in\n%s", want, rest)
		}
	}
	if !strings.Contains(r.stderr, "trees 2/2 · ") {
		t.Errorf("no progress:\n%s", r.stderr)
	}
	lines := readLines(t, out)
	if len(lines) == 0 || lines[0]["uid"] == nil {
		t.Errorf("%d lines, the first is %v", len(lines), lines)
	}
}

func readLines(t *testing.T, path string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for row := range strings.Lines(string(text)) {
		var v map[string]any
		if err := json.Unmarshal([]byte(row), &v); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, v)
	}
	return lines
}

func TestRunJSON(t *testing.T) {
	s := newSession(t)
	r, out := s.job("first", "--json", "--format", "tree")
	var got runResult
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v in %q", err, r.stdout)
	}
	if got.Rollout.ID != "first" || got.File != out || len(got.Trees) != 2 || got.Rollout.State != sparkd.RolloutDone {
		t.Errorf("%+v", got)
	}
	if lines := readLines(t, out); len(lines) != 2 {
		t.Errorf("%d lines for 2 trees", len(lines))
	}
}

// What a run stored can be looked at afterwards, without a daemon.
func TestLookAtWhatIsStored(t *testing.T) {
	s := newSession(t)
	s.job("first")
	tree := s.must("tree", "first").stdout
	if !strings.Contains(tree, "household/train/0 ") || !strings.Contains(tree, "\n\nhousehold/train/1 ") {
		t.Errorf("not every tree is drawn:\n%s", tree)
	}
	id := ulids.FindString(tree)
	one := s.must("tree", id, "--json").stdout
	var decoded sparkd.Tree
	if err := json.Unmarshal([]byte(one), &decoded); err != nil || decoded.ID != id || len(decoded.Nodes) == 0 {
		t.Errorf("tree --json: %v", err)
	}
	if r := s.run("tree", "nobody"); r.code != exitFailure ||
		!strings.Contains(r.stderr, `there is no tree and no rollout "nobody"`) {
		t.Errorf("an unknown tree: %+v", r)
	}
	if r := s.must("rollouts"); !strings.HasPrefix(r.stdout, "first ") || !strings.Contains(r.stdout, " done ") {
		t.Errorf("rollouts: %q", r.stdout)
	}
	if r := s.must("export", "first", "--format", "tree"); strings.Count(r.stdout, "\n") != 2 ||
		!strings.Contains(r.stderr, "--after ") {
		t.Errorf("export: %d lines, %q", strings.Count(r.stdout, "\n"), r.stderr)
	}
	if r := s.must("check"); !strings.Contains(r.stdout, "1 rollout, 2 trees (2 finished)") ||
		!strings.HasSuffix(r.stdout, "0 problems\n") {
		t.Errorf("check: %q", r.stdout)
	}
	if r := s.must("info"); !strings.Contains(r.stdout, "engine: none") {
		t.Errorf("info: %q", r.stdout)
	}
	if r := s.must("cancel", "first"); !strings.Contains(r.stdout, " done ") {
		t.Errorf("cancel of what has ended: %q", r.stdout)
	}
}

func TestNoDataFolder(t *testing.T) {
	s := newSession(t)
	for _, args := range [][]string{{"tree", "x"}, {"check"}, {"export"}, {"rollouts"}} {
		r := s.run(args...)
		if r.code != exitUsage || !strings.Contains(r.stderr, "remedy: ") ||
			!strings.Contains(r.stderr, "daemon.data: SPARKD_DAEMON_DATA: there is no data folder") {
			t.Errorf("%v: %+v", args, r)
		}
		if _, err := os.Stat(s.data); err == nil {
			t.Fatalf("%v made the folder", args)
		}
	}
}

// A folder that holds something else is left as it is.
func TestForeignFolder(t *testing.T) {
	s := newSession(t)
	s.data = s.dir
	for _, args := range [][]string{{"tree", "x"}, {"check"}, {"export"}, {"rollouts"}} {
		r := s.run(args...)
		if r.code != exitUsage || !strings.Contains(r.stderr,
			"daemon.data: SPARKD_DAEMON_DATA: there is no store in "+s.dir) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if files, err := os.ReadDir(s.dir); err != nil || len(files) > 0 {
		t.Errorf("the folder got %v, %v", files, err)
	}
}

// What is wrong with the lines of a run is said before it grows anything.
func TestRunChecksItsOutputFirst(t *testing.T) {
	s := newSession(t)
	for _, args := range [][]string{
		{"--format", "csv"}, {"--dedupe", "some"}, {"--advantage", "gae"}, {"--out", s.dir},
		{"--out", filepath.Join(s.dir, "x.csv")}, {"--out", filepath.Join(s.dir, "none", "x.jsonl")},
	} {
		r := s.run(append([]string{"run"}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, args[0][2:]+": ") ||
			!strings.Contains(r.stderr, "remedy") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if _, err := os.Stat(s.data); err == nil {
		t.Error("a store was made")
	}
}

// A command that fails leaves the file of an earlier one as it was.
func TestFailedExportKeepsTheFile(t *testing.T) {
	s := newSession(t)
	_, out := s.job("first")
	before, err := os.ReadFile(out)
	if err != nil || len(before) == 0 {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"nope"}, {"--format", "csv"}, {"--after", "!"}, {"--after", "zzzz"}, {"--limit", "-1"},
	} {
		if r := s.run(append([]string{"export", "--out", out}, args...)...); r.code == exitOK {
			t.Errorf("%v: %+v", args, r)
		}
		if after, err := os.ReadFile(out); err != nil || string(after) != string(before) {
			t.Fatalf("%v changed the file: %v", args, err)
		}
	}
	_, end, _ := strings.Cut(s.must("export").stderr, "--after ")
	end, _, _ = strings.Cut(end, " ")
	if s.must("export", "--out", out, "--after", end); len(readLines(t, out)) != 0 {
		t.Error("an export of nothing left old lines")
	}
}

// check names what is damaged and exits with 3.
func TestCheckFindsDamage(t *testing.T) {
	s := newSession(t)
	s.job("first")
	flipped := 0
	err := filepath.WalkDir(s.data, func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) != ".sst" || err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text[len(text)/3] ^= 1
		flipped++
		return os.WriteFile(path, text, 0o600)
	})
	if err != nil || flipped == 0 {
		t.Fatalf("%d tables, %v", flipped, err)
	}
	r := s.run("check", "--json")
	if r.code != exitProblems || !strings.Contains(r.stdout, `"findings":[{`) {
		t.Errorf("exit %d, %s%s", r.code, r.stdout, r.stderr)
	}
}

func TestErrorsAsJSON(t *testing.T) {
	s := newSession(t)
	r := s.run("run", "--json", "--roots", "9")
	var e sparkd.Error
	if err := json.Unmarshal([]byte(r.stderr), &e); err != nil || e.Field != "policy.roots" || e.Remedy == "" {
		t.Errorf("%v: %q", err, r.stderr)
	}
}

func TestConfig(t *testing.T) {
	s := newSession(t)
	if r := s.must("config", "--set", "daemon.trees=3"); !strings.Contains(r.stdout, "trees = 3") ||
		!strings.Contains(r.stdout, "# flag") || !strings.Contains(r.stdout, "# env SPARKD_DAEMON_DATA") {
		t.Errorf("%s", r.stdout)
	}
	if r := s.must("config", "--check", "../../config.toml"); r.stdout != "../../config.toml is valid\n" {
		t.Errorf("%q", r.stdout)
	}
	bad := filepath.Join(s.dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("[daemon]\ntreees = 3\n[log]\nlevel = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.run("config", "--check", bad)
	if r.code != exitUsage {
		t.Errorf("exit %d", r.code)
	}
	golden(t, "config-bad.txt", s.timeless(r.stderr))
}

func TestVersion(t *testing.T) {
	s := newSession(t)
	var v map[string]string
	if err := json.Unmarshal([]byte(s.must("version", "--json").stdout), &v); err != nil || v["version"] == "" ||
		v["go"] == "" {
		t.Errorf("%v %v", err, v)
	}
	if s.must("--version").stdout != s.must("version").stdout {
		t.Error("--version and version differ")
	}
}

// The flags of run win over a request file, which wins over the defaults.
func TestSpecFile(t *testing.T) {
	s := newSession(t)
	path := filepath.Join(s.dir, "spec.json")
	body := `{"id":"from-file","tasks":{"indices":[4,5]},"max_steps":3,"budget":{"leaves":2},"policy":{"roots":1}}`
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	var got runResult
	out := s.must("run", "--json", "--max-steps", "2", "--spec", path, "--out", filepath.Join(s.dir, "out")).stdout
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	spec := got.Rollout.Spec
	if spec.ID != "from-file" || spec.MaxSteps != 2 || spec.Budget.Leaves != 2 || *spec.Policy.Roots != 1 ||
		len(spec.Tasks.Indices) != 2 || *spec.Policy.Branch != 2 {
		t.Errorf("%+v", spec)
	}
}
