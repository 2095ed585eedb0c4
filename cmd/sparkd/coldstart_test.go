package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sparkd/coldstart"
)

func readRows(t *testing.T, text string) (rows []coldstart.Row) {
	t.Helper()
	for l := range strings.Lines(text) {
		var row coldstart.Row
		if err := json.Unmarshal([]byte(l), &row); err != nil {
			t.Fatalf("%v in %q", err, l)
		}
		rows = append(rows, row)
	}
	return rows
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The planner's trajectories, on stdout and in files, as conversations and as steps.
func TestColdstart(t *testing.T) {
	s := newSession(t)
	r := s.must("coldstart", "--trajectories", "10", "--own", "0.2", "--json")
	rows := readRows(t, r.stdout)
	var sum coldstart.Report
	if err := json.Unmarshal([]byte(r.stderr), &sum); err != nil {
		t.Fatalf("%v in %q", err, r.stderr)
	}
	if len(rows) != 10 || sum.Trajectories != 10 || sum.Own != 2 || sum.Rows != 10 || sum.Steps < 30 ||
		sum.Explore <= 0 || sum.Explore >= 1 {
		t.Errorf("%d rows, %+v", len(rows), sum)
	}
	for i, row := range rows {
		if row.Task != fmt.Sprintf("household/train/%d", i) || !row.Success || len(row.Messages) < 4 ||
			row.Messages[0].Role != "user" {
			t.Errorf("row %d: %+v", i, row)
		}
	}
	packed := filepath.Join(s.dir, "rows.jsonl.zst")
	if told := s.must("coldstart", "--trajectories", "10", "--own", "0.2", "--out", packed); told.stdout != "" ||
		!strings.HasPrefix(told.stderr, "10 trajectories, 2 of them sought, 8 golden: 10 rows, ") {
		t.Errorf("%+v", told)
	}
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if plain, err := d.DecodeAll([]byte(readFile(t, packed)), nil); err != nil || string(plain) != r.stdout {
		t.Errorf("%d bytes unpacked of %d: %v", len(plain), len(r.stdout), err)
	}
	steps := readRows(t, s.must("coldstart", "--trajectories", "2", "--prompt", "paper", "--window", "5",
		"--split", "l1", "--from", "7").stdout)
	if len(steps) < 6 || steps[0].Task != "household/l1/7" || steps[0].Step != 1 || len(steps[0].Prompt) != 2 ||
		len(steps[0].Completion) != 1 || steps[0].Messages != nil {
		t.Errorf("%d rows, the first is %+v", len(steps), steps[0])
	}
}

// The first example of the help does what it says.
func TestColdstartExample(t *testing.T) {
	s := newSession(t)
	t.Chdir(s.dir)
	cmd, _, err := (&cli{}).root().Find([]string{"coldstart"})
	if err != nil {
		t.Fatal(err)
	}
	s.must(strings.Fields(describeCommand(cmd).Examples[0])[1:]...)
	if rows := readRows(t, readFile(t, "coldstart.jsonl")); len(rows) != 300 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestColdstartRefuses(t *testing.T) {
	s := newSession(t)
	file := filepath.Join(s.dir, "golden.jsonl")
	if err := os.WriteFile(file, []byte(`{"task":"household/train/0","actions":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	teacher := []string{"--teacher", "http://127.0.0.1:1/v1", "--teacher-model", "m"}
	with := func(args ...string) []string { return append(args, teacher...) }
	stepwise := filepath.Join(s.dir, "stepwise.jsonl")
	row := `{"prompt":[],"completion":[],"task":"household/train/0","step":1}` + "\n"
	if err := os.WriteFile(stepwise, []byte(row), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--trajectories", "0"}, "--trajectories is 0"},
		{[]string{"--from", "-1"}, "--from is -1"},
		{[]string{"--from", "10000"}, "from: there is no task 10000"},
		{[]string{"--max-steps", "0"}, "--max-steps is 0"},
		{[]string{"--max-steps", "2"}, "max-steps: "},
		{[]string{"--window", "-1"}, "--window is -1"},
		{[]string{"--own", "1.5"}, "--own is 1.5"},
		{[]string{"--own", "NaN"}, "--own is NaN"},
		{[]string{"--prompt", "long"}, `--prompt is "long"; one of paper, compact`},
		{[]string{"--split", "test"}, "split: household has no split"},
		{[]string{"--env", "chess"}, `env: unknown environment "chess"`},
		{[]string{"--env", ""}, "--env names no environment"},
		{[]string{"--env", "client"}, "env: nobody drives the environment client here"},
		{[]string{"--slips", "0.99"}, "or fewer slips"},
		{[]string{"--alfworld-data", s.dir, "--env", "alfworld"}, "holds no game"},
		{[]string{"--out", filepath.Join(s.dir, "none", "x")}, "remedy: name another file with --out\n"},
		{[]string{"--out", "x.parquet"}, "JSON lines"},
		{[]string{"--out", "x.csv"}, "JSON lines"},
		{[]string{"--golden", file}, "--golden goes with --teacher"},
		{[]string{"--resume"}, "--resume goes with --teacher"},
		{[]string{"--teacher", "http://127.0.0.1:1/v1"}, "--teacher needs --teacher-model"},
		{with("--own", "0"), "--own is the planner's"},
		{with("--seed", "1"), "--seed is the planner's"},
		{with("--slips", "0.1"), "--slips is the planner's"},
		{[]string{"--slips", "1"}, "--slips is 1"},
		{with("--golden", file, "--split", "l0"), "with --golden the file does"},
		{with("--golden", file), "golden: line 1: no actions"},
		{with("--golden", s.dir), "golden: "},
		{with("--golden", filepath.Join(s.dir, "none")), "golden: open "},
		{with("--resume"), "--resume needs --out FILE"},
		{with("--resume", "--out", "x.zst"), "--resume needs --out FILE"},
		{with("--resume", "--out", file), "resume: line 1 of "},
		{with("--resume", "--out", os.DevNull), "is no regular file"},
		{with("--resume", "--out", stepwise), "another --window"},
		{with("--inflight", "0"), "--inflight is 0"},
		{with("--inflight", "5000"), "at most 1024"},
		{with("--teacher-tokens", "0"), "--teacher-tokens is 0"},
		{with("--teacher-timeout", "0s"), "--teacher-timeout is 0s"},
		{with("--teacher-key-file", filepath.Join(s.dir, "none")), "teacher-key-file: no key can be read"},
		{with("--teacher", "ftp://x"), "teacher: cannot use"},
		{with("--trajectories", "9000", "--from", "9000"), "trajectories: there are 1000 tasks"},
	} {
		if c.says == "resume: line 1 of " { // a line that is whole, and no row
			if err := os.WriteFile(file, []byte("{}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args := c.args
		if strings.Contains(c.says, "cannot use") {
			args = []string{"--teacher-model", "m", "--teacher", "ftp://x"}
		}
		if r := s.run(append([]string{"coldstart"}, args...)...); r.code != exitUsage || r.stdout != "" ||
			!strings.Contains(r.stderr, c.says) {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

var pathStep = regexp.MustCompile(`(?m)^\{"step":.*"action":("[^\n]*")\}$`)

// teach is a teacher that answers every path well, but for those that spoil takes.
func teach(
	t *testing.T, spoil func(n int64, w http.ResponseWriter, r *http.Request) bool,
) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Messages []coldstart.Message }
		_ = json.NewDecoder(r.Body).Decode(&in) // to its end, or a client that leaves is not noticed
		_, _ = io.Copy(io.Discard, r.Body)
		if n := asked.Add(1) - 1; spoil != nil && spoil(n, w, r) {
			return
		}
		var items []string
		for _, m := range pathStep.FindAllStringSubmatch(in.Messages[1].Content, -1) {
			items = append(items, `{"reason":"<explore>this or that?</explore>","action":`+m[1]+`}`)
		}
		message := map[string]any{"role": "assistant", "content": "[" + strings.Join(items, ",") + "]"}
		choice := map[string]any{"finish_reason": "stop", "message": message}
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{choice}})
	}))
	t.Cleanup(server.Close)
	return server.URL + "/v1", asked
}

// A teacher annotates the planner's paths; what it is asked about again is only what the
// file lacks.
func TestColdstartTeacher(t *testing.T) {
	s := newSession(t)
	url, asked := teach(t, nil)
	out := filepath.Join(s.dir, "rows.jsonl")
	args := []string{"coldstart", "--teacher", url, "--teacher-model", "m", "--out", out}
	r := s.must(append(args, "--trajectories", "3")...)
	if !strings.HasPrefix(r.stderr, "3 trajectories: 3 rows, ") || !strings.Contains(r.stderr,
		"<explore> on 100% of them; 0 paths left out, 0 of 3 answers of the teacher refused") {
		t.Errorf("%q", r.stderr)
	}
	before := readFile(t, out)
	if rows := readRows(t, before); len(rows) != 3 || rows[0].Source != coldstart.Retro ||
		!strings.HasPrefix(rows[2].Messages[1].Content, "<explore>this or that?</explore><action>go to ") {
		t.Errorf("%+v", rows)
	}
	asked.Store(0)
	r = s.must(append(args, "--trajectories", "5", "--resume")...)
	after := readFile(t, out)
	if asked.Load() != 2 || !strings.HasPrefix(after, before) || len(readRows(t, after)) != 5 ||
		!strings.Contains(r.stderr, "2 trajectories: ") ||
		!strings.Contains(r.stderr, "3 trajectories had been written before") {
		t.Errorf("%d asked, %q", asked.Load(), r.stderr)
	}
	if r := s.must(append(args, "--trajectories", "5", "--resume")...); readFile(t, out) != after ||
		!strings.HasPrefix(r.stderr, "0 trajectories; ") {
		t.Errorf("nothing to do: %q", r.stderr)
	}
	// A run that was killed while it wrote: the line that was cut off goes, and the one before.
	if err := os.WriteFile(out, []byte(after[:len(after)-9]), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must(append(args, "--trajectories", "5", "--resume")...)
	if readFile(t, out) != after {
		t.Error("what was cut off is not made up for")
	}
}

// Golden paths come from a file, for any environment; those that do not win, and those that
// the teacher spoils, are named and left out.
func TestColdstartGolden(t *testing.T) {
	s := newSession(t)
	var golden strings.Builder
	for _, row := range readRows(t, s.must("coldstart", "--trajectories", "4", "--own", "0").stdout) {
		var actions []string
		for _, m := range row.Messages {
			if _, a, ok := strings.Cut(m.Content, "<action>"); ok {
				actions = append(actions, strings.TrimSuffix(a, "</action>"))
			}
		}
		if strings.HasSuffix(row.Task, "/1") {
			actions = actions[1:]
		}
		b, _ := json.Marshal(map[string]any{"task": row.Task, "actions": actions})
		golden.Write(append(b, '\n'))
	}
	file := filepath.Join(s.dir, "golden.jsonl")
	if err := os.WriteFile(file, []byte(golden.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(s.dir, "key")
	if err := os.WriteFile(key, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := teach(t, func(n int64, w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if n < 3 {
			fmt.Fprint(w, `{"choices":[{"message":{"content":"I would rather not."}}]}`)
		}
		return n < 3
	})
	args := []string{"coldstart", "--env", "household", "--golden", file, "--teacher", url, "--teacher-model", "m",
		"--inflight", "1"}
	if r := s.run(args...); r.code != exitFailure || !strings.Contains(r.stderr, "teacher-key-file: ") ||
		r.stdout != "" {
		t.Errorf("without the key: %+v", r)
	}
	r := s.must(append(args, "--teacher-key-file", key, "--json")...)
	var sum coldstart.Report
	if err := json.Unmarshal([]byte(r.stderr), &sum); err != nil {
		t.Fatalf("%v in %q", err, r.stderr)
	}
	if rows := readRows(t, r.stdout); len(rows) != 3 || sum.Trajectories != 3 || len(sum.LeftOut) != 1 {
		t.Errorf("%d rows, %+v", len(rows), sum)
	}
	r = s.must(append(args, "--teacher-key-file", key, "--trajectories", "2")...)
	if !strings.Contains(r.stderr, "left out household/train/1: the path does not reach the goal") ||
		len(readRows(t, r.stdout)) != 1 {
		t.Errorf("%+v", r)
	}
}

// ^C keeps what is written and says how to go on.
func TestColdstartInterrupted(t *testing.T) {
	s := newSession(t)
	signals := make(chan os.Signal, 1)
	url, _ := teach(t, func(n int64, _ http.ResponseWriter, r *http.Request) bool {
		if n < 2 {
			return false
		}
		signals <- os.Interrupt
		<-r.Context().Done()
		return true
	})
	out := filepath.Join(s.dir, "rows.jsonl")
	var stdout, stderr screenText
	code := s.cli(nil, &stdout, &stderr).main(signals, []string{"coldstart", "--teacher", url, "--teacher-model", "m",
		"--trajectories", "4", "--inflight", "1", "--out", out})
	if code != exitInterrupted || !strings.HasPrefix(stderr.String(), "interrupted after 2 trajectories: ") ||
		!strings.Contains(stderr.String(), "what was written is kept; go on with\n") {
		t.Errorf("exit %d, %q", code, stderr.String())
	}
	if rows := readRows(t, readFile(t, out)); len(rows) != 2 {
		t.Errorf("%d rows are kept", len(rows))
	}
}

// Where a teacher accepts nothing the command fails, and leaves an old file alone.
func TestColdstartRefusedByAll(t *testing.T) {
	s := newSession(t)
	url, _ := teach(t, func(_ int64, w http.ResponseWriter, _ *http.Request) bool {
		fmt.Fprint(w, `{"choices":[{"message":{"content":"No."}}]}`)
		return true
	})
	out := filepath.Join(s.dir, "rows.jsonl")
	if err := os.WriteFile(out, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := s.run("coldstart", "--teacher", url, "--teacher-model", "m", "--trajectories", "2", "--out", out)
	if r.code != exitFailure || strings.Count(r.stderr, "left out household/train/") != 2 ||
		!strings.Contains(r.stderr, "6 of 6 answers of the teacher refused") ||
		!strings.Contains(r.stderr, "nothing was written") {
		t.Errorf("%+v", r)
	}
	if readFile(t, out) != "old" {
		t.Error("the old file is gone")
	}
	good, _ := teach(t, nil)
	s.must("coldstart", "--teacher", good, "--teacher-model", "m", "--trajectories", "1", "--out", out)
	old := readFile(t, out)
	r = s.run("coldstart", "--teacher", url, "--teacher-model", "m", "--trajectories", "2", "--out", out, "--resume")
	if r.code != exitFailure || !strings.Contains(r.stderr, "nothing was written: every path was left out") ||
		readFile(t, out) != old {
		t.Errorf("the rest is left out, too: %+v", r)
	}
}

// A full disk is named as what it is.
func TestColdstartFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("NOT RUN: this system has no " + full)
	}
	if r := newSession(t).run("coldstart", "--trajectories", "2", "--out", full); r.code != exitFailure ||
		!strings.Contains(r.stderr, "out: cannot write the rows: ") ||
		!strings.Contains(r.stderr, "remedy: make room") {
		t.Errorf("%+v", r)
	}
}

// A long run shows how far it is: over one line of a terminal, else by lines now and then.
func TestColdstartProgress(t *testing.T) {
	begin := time.Now()
	sum := &coldstart.Report{Trajectories: 30, Steps: 300, LeftOut: make([]coldstart.LeftOut, 2)}
	for _, c := range []struct {
		width int
		quiet bool
		after time.Duration
		want  string
	}{
		{80, false, time.Second / 2, ""},
		{80, false, 63 * time.Second, "\r\x1b[K━━━━━┄┄┄┄┄ trajectories 30/60 · 300 steps · 2 left out · 1:03\r\x1b[K"},
		{30, false, 63 * time.Second, "\r\x1b[K━━━━━┄┄┄┄┄ trajectories 30/6…\r\x1b[K"},
		{0, false, 2 * time.Second, ""},
		{0, false, 63 * time.Second, "trajectories 30/60 · 300 steps · 2 left out · 1:03\n"},
		{80, true, 63 * time.Second, ""},
	} {
		var out strings.Builder
		p := &coldstartProgress{status: status{out: &out, width: c.width, begin: begin}, quiet: c.quiet, total: 60}
		p.show(sum, begin.Add(c.after))
		p.show(sum, begin.Add(c.after+time.Millisecond))
		p.clear()
		if out.String() != c.want {
			t.Errorf("%+v: %q", c, out.String())
		}
	}
}
