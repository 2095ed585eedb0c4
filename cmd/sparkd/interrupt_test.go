package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparkd"
	"sparkd/daemon"
	"sparkd/daemon/daemontest"
	"sparkd/export/reward"
)

// interrupt runs a command that a signal interrupts in its first round, which never ends by itself, and a second one
// when that is asked for. Its working folder has blanks and quotes in its name.
func (s *session) interrupt(args ...string) result {
	s.t.Helper()
	signals := make(chan os.Signal, 1)
	var once sync.Once
	engine := &daemontest.Engine{Before: func(ctx context.Context, _ sparkd.SampleRequest) error {
		once.Do(func() { signals <- os.Interrupt })
		<-ctx.Done()
		return ctx.Err()
	}}
	var stdout screenText
	stderr := screenText{mark: "interrupt again", found: make(chan string, 1)}
	go func() {
		<-stderr.found
		signals <- os.Interrupt
	}()
	code := s.cli(engine, &stdout, &stderr).main(signals, args)
	return result{code, stdout.String(), stderr.String()}
}

// goOn runs the command that an interrupted one says goes on, as a shell does, in an environment without anything.
func (s *session) goOn(command string) result {
	s.t.Helper()
	words, err := reward.Words(command)
	if err != nil {
		s.t.Fatalf("%q: %v", command, err)
	}
	var stdout, stderr screenText
	c := s.cli(&daemontest.Engine{}, &stdout, &stderr)
	c.environ = nil
	at := slices.Index(words, "sparkd")
	if at < 0 {
		s.t.Fatalf("no command in %q", command)
	}
	c.environ = words[:at]
	return result{c.main(nil, words[at+1:]), stdout.String(), stderr.String()}
}

func command(stderr string) string {
	_, rest, _ := strings.Cut(stderr, "go on with\n  ")
	line, _, _ := strings.Cut(rest, "\n")
	return line
}

// The command that goes on has all that matters of the one that was interrupted.
func TestGoingOn(t *testing.T) {
	s := newSession(t)
	odd := filepath.Join(s.dir, "it's a folder")
	config := filepath.Join(odd, "sparkd.toml")
	if err := os.Mkdir(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("[daemon]\ntrees = 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, page := filepath.Join(odd, "rows.jsonl.zst"), filepath.Join(odd, "c.html")
	settings := []string{"-c", config, "--data", filepath.Join(odd, "data"), "--set", "daemon.drain=1m",
		"--set=daemon.queue=9"}
	for _, c := range []struct {
		args   []string
		has    []string
		leaves string // the file that is written in the end
	}{
		{[]string{"run", "--tasks", "1", "--max-steps", "4", "-format=verl", "--advantage", "grpo", "--filter",
			"split=train", "--filter", "env=household", "--entropies=false", "--text", "--out", rows, "--seed", "3",
			"--policy", "spark:roots=2"},
			[]string{"--format verl", "--advantage grpo", "--filter split=train", "--filter env=household", "--text",
				"--set daemon.drain=1m", "--set daemon.queue=9", `it'\''s a folder/rows`}, rows},
		{[]string{"compare", "--policies", "spark,linear", "--tasks", "1", "--max-steps", "4", "--out", page},
			[]string{"--policies spark,linear", "--tasks 1", "--max-steps 4", "--id "}, page},
	} {
		r := s.interrupt(slices.Concat(c.args, settings)...)
		goes := command(r.stderr)
		for _, has := range c.has {
			if !strings.Contains(goes, has) {
				t.Errorf("%s lacks %s in\n%s", c.args[0], has, r.stderr)
			}
		}
		if r.code != exitInterrupted {
			t.Fatalf("exit %d\n%s", r.code, r.stderr)
		}
		if r := s.goOn(goes); r.code != exitOK || strings.Contains(r.stderr, "exists") == (c.args[0] == "run") {
			t.Errorf("%s: exit %d\n%s", goes, r.code, r.stderr)
		}
		if info, err := os.Stat(c.leaves); err != nil || info.Size() == 0 {
			t.Errorf("%s left %v", goes, err)
		}
	}
}

// With --json the same is one object.
func TestInterruptedJSON(t *testing.T) {
	s := newSession(t)
	signals := make(chan os.Signal, 2)
	engine := &daemontest.Engine{Before: func(ctx context.Context, _ sparkd.SampleRequest) error {
		signals <- os.Interrupt
		<-ctx.Done()
		return ctx.Err()
	}}
	var stdout, stderr screenText
	code := s.cli(engine, &stdout, &stderr).main(signals, []string{"run", "--json", "--id", "j", "--roots", "2",
		"--max-steps", "4", "--set", "daemon.drain=0s", "--set", "log.level=error"})
	var e sparkd.Error
	err := json.Unmarshal([]byte(stderr.String()), &e)
	goes, ok := strings.CutPrefix(e.Remedy, "go on with: ")
	if code != exitInterrupted || err != nil || e.Code != sparkd.CodeCanceled || !ok || stdout.String() != "" {
		t.Fatalf("exit %d, %v\n%s%s", code, err, &stdout, &stderr)
	}
	t.Chdir(s.dir)
	if r := s.goOn(goes); r.code != exitOK || !json.Valid([]byte(r.stdout)) || r.stderr != "" {
		t.Errorf("%s: %+v", goes, r)
	}
}

// What is resumed has a store: a slip in --data makes none.
func TestResumeMakesNoStore(t *testing.T) {
	s := newSession(t)
	typo := filepath.Join(s.dir, "dtaa")
	r := s.run("run", "--resume", "x", "--data", typo)
	if _, err := os.Stat(typo); r.code != exitUsage || err == nil ||
		!strings.Contains(r.stderr, "daemon.data: --data: there is no data folder "+typo) {
		t.Errorf("%v %+v", err, r)
	}
}

// A request on stdin is one in a file.
func TestSpecFromStdin(t *testing.T) {
	s := newSession(t)
	for body, want := range map[string]string{
		`{"id":"in","max_steps":2,"budget":{"leaves":2},"policy":{"roots":1}}`: "",
		``: "the request is empty", `{"id":`: "write a JSON object",
	} {
		var stdout, stderr screenText
		c := s.cli(&daemontest.Engine{}, &stdout, &stderr)
		c.stdin = strings.NewReader(body)
		code := c.main(nil, []string{"run", "--spec", "-", "--json", "--out", filepath.Join(s.dir, "rows")})
		var got runResult
		if want == "" {
			if err := json.Unmarshal([]byte(stdout.String()), &got); err != nil || got.Rollout.ID != "in" {
				t.Errorf("exit %d, %v\n%s", code, err, &stderr)
			}
		} else if code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit %d\n%s", body, code, &stderr)
		}
	}
}

func TestQuoted(t *testing.T) {
	for _, word := range []string{"", "a", "a b", "it's", `"`, `\`, "$HOME", "a=b", "~", "é", "a\nb", "*", "--x", "!"} {
		if got, err := reward.Words("x " + quoted(word)); err != nil || len(got) != 2 || got[1] != word {
			t.Errorf("%q is read as %q, %v", quoted(word), got, err)
		}
	}
	for _, word := range []string{"~", "$HOME", "*", "!", "a;b", "a&b", "(", "{a,b}", "#"} {
		if quoted(word) == word {
			t.Errorf("%s stands unquoted", word)
		}
	}
}

// Where HOME names no home the user's entry in the system does.
func TestWithoutHome(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	dir, err := new(daemon.Config).DataDir()
	if err == nil && !filepath.IsAbs(dir) || err != nil && sparkd.AsError(err).Field != "daemon.data" {
		t.Errorf("%q, %v", dir, err)
	}
}
