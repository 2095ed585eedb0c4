package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
	"sparkd/export/reward"
	options "sparkd/internal/settings"
)

// fleet is the scripted engine as one of many, which can be given new weights.
type fleet struct{ *daemontest.Engine }

func (f fleet) Replicas() []sparkd.Replica {
	return []sparkd.Replica{{Name: "http://127.0.0.1:8001", State: sparkd.ReplicaUp, Info: f.Describe()}}
}
func (fleet) Drain(string, bool) error                               { return nil }
func (fleet) Reload(context.Context, sparkd.Weights) (string, error) { return "step-40", nil }

// examples lists those of a help, a command line each, without what bash does around it.
func examples(help commandHelp) (all []string) {
	for _, line := range help.Examples {
		line, _, _ = strings.Cut(line, " #")
		line = strings.TrimPrefix(strings.TrimSuffix(strings.TrimSpace(line), ")"), "source <(")
		all = append(all, line)
	}
	return all
}

// Every example in a help works, in the order of the commands, in a folder that holds the files that they name and
// beside a daemon; and every flag occurs in one.
func TestExamplesWork(t *testing.T) {
	s := newSession(t)
	t.Chdir(s.dir)
	url, _ := teach(t, nil)
	for name, text := range map[string]string{
		"config.toml": "[daemon]\ntrees = 3\n", "key": "secret\n", "request.json": `{"max_steps":3}`,
		"paths.jsonl": `{"task":"household/train/0","actions":["go on"]}` + "\n",
		"reward.py": "import json, sys\nfor line in sys.stdin:\n  t = json.loads(line)\n" +
			"  print(json.dumps({'id': t['id'], 'reward': 0.5}), flush=True)\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	addr, stop := s.serve(fleet{&daemontest.Engine{}})
	defer stop()
	cursor, shown := "", map[string]bool{}
	root := (&cli{}).root()
	for _, help := range describeCommand(root).Commands {
		for _, line := range examples(help) {
			cmd, rest, err := root.Find(strings.Fields(line)[1:])
			if err != nil {
				t.Fatal(err)
			}
			_ = cmd.Flags().ParseAll(rest, func(f *flag.Flag, _ string) error { shown[f.Name] = true; return nil })
			if strings.Contains(line, "games") {
				continue // ALFWorld's files are not here
			}
			words, err := reward.Words(strings.NewReplacer("127.0.0.1:8787", addr, "CURSOR", cursor,
				"http://127.0.0.1:8000/v1", url, "127.0.0.1:9000", "127.0.0.1:0").Replace(line))
			if err != nil {
				t.Fatal(err)
			}
			r := s.example(words[1:])
			if r.code != exitOK {
				t.Errorf("%s: exit %d\n%s%s", line, r.code, r.stdout, r.stderr)
			}
			if _, c, ok := strings.Cut(r.stderr, "--after "); ok && cursor == "" {
				cursor, _, _ = strings.Cut(c, " ")
			}
		}
		cmd, _, _ := root.Find([]string{strings.Fields(help.Command)[1]})
		cmd.LocalNonPersistentFlags().VisitAll(func(f *flag.Flag) {
			if !shown[f.Name] && f.Name != "help" {
				t.Errorf("%s: no example has --%s", help.Command, f.Name)
			}
		})
	}
}

// example runs a command with the defaults of the session's folder; what serves is stopped when it does.
func (s *session) example(args []string) result {
	var out screenText
	signals := make(chan os.Signal, 2)
	errs := &screenText{mark: `"message":"sparkd serves`, found: make(chan string, 1)}
	c := s.cli(fleet{&daemontest.Engine{Template: thinking}}, &out, errs)
	c.environ = []string{"SPARKD_DAEMON_DATA=here", "SPARKD_API_LISTEN=127.0.0.1:0"}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-errs.found:
			signals <- os.Interrupt
		case <-ended:
		}
	}()
	return result{c.main(signals, args), out.String(), errs.String()}
}

var variable = regexp.MustCompile(`SPARKD_[A-Z0-9_]*[A-Z0-9]`)

// Every variable that the source reads is documented: those of users in the help and in docs/cli.md, those of who
// develops sparkd in some page.
func TestVariablesAreDocumented(t *testing.T) {
	const top = "../.."
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	help, page := newSession(t).must("help").stdout, read(filepath.Join(top, "docs", "cli.md"))
	var known []string
	config := daemon.Default()
	for _, s := range options.List(&config) {
		known = append(known, s.Variable())
	}
	pages := ""
	for _, pattern := range []string{"*.md", "docs/*.md", "*/*.md", "Makefile"} {
		files, _ := filepath.Glob(filepath.Join(top, pattern))
		for _, f := range files {
			pages += read(f)
		}
	}
	seen := 0
	err := filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "out") && path != top {
				return filepath.SkipDir
			}
			return err
		}
		for _, name := range variable.FindAllString(read(path), -1) {
			user := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") &&
				!strings.Contains(path, "/bench/") && !slices.Contains(known, name)
			switch seen++; {
			case user && (!strings.Contains(help, name) || !strings.Contains(page, name)):
				t.Errorf("%s: %s is not in the help, or not in docs/cli.md", path, name)
			case strings.HasSuffix(path, ".py") && !strings.Contains(path, "/tests/") && !strings.Contains(pages, name):
				t.Errorf("%s: %s is in no page", path, name)
			}
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Error(seen, err)
	}
}

// TestHelpFitsAScreen: help that goes to no screen is 80 columns wide, and examples go on where a shell reads on.
func TestHelpFitsAScreen(t *testing.T) {
	s := newSession(t)
	for _, cmd := range (&cli{}).root().Commands() {
		for row := range strings.Lines(s.must(cmd.Name(), "--help").stdout) {
			if cells(strings.TrimSuffix(row, "\n")) > noScreen {
				t.Errorf("%s --help is wider than a screen: %s", cmd.Name(), row)
			}
		}
		for width := 20; width < 120; width += 9 {
			joined := strings.ReplaceAll(wrapExamples(cmd.Example, width), " \\\n   ", "")
			if whole := strings.ReplaceAll(cmd.Example, " \\\n   ", ""); joined != whole {
				t.Errorf("%s, %d columns: %s\nof %s", cmd.Name(), width, joined, whole)
			}
		}
	}
}

// TestRolloutsByState: states select, and one that there is not is refused.
func TestRolloutsByState(t *testing.T) {
	s := newSession(t)
	s.job("first")
	for state, want := range map[string]bool{
		"done": true, "failed,done": true, "queued": false, "running,failed": false,
	} {
		if got := strings.Contains(s.must("rollouts", "--state", state).stdout, "first"); got != want {
			t.Errorf("--state %s: listed is %v", state, got)
		}
	}
	if r := s.run("rollouts", "--state", "over"); r.code == 0 || !strings.Contains(r.stderr, `unknown state "over"`) {
		t.Errorf("%+v", r)
	}
}
