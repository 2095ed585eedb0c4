package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sparkd/env/contract"
)

// dial is an environment in a shell script; %s is where it goes wrong.
const dial = `
say() { printf '{"id":%s,"ok":%s}\n' "$id" "$1"; }
see() {
  done=false reward=0
  if [ "$at" = 3 ]; then done=true reward=1; fi
  text='"text":"The dial is at '"$at$DRIFT"'.","admissible":["turn"]'
  say "{$text,\"reward\":$reward,\"done\":$done,\"success\":$done}"
}
while IFS= read -r line; do
  id=${line#'{"id":'} id=${id%%,*}
  case $line in
    *'"op":"hello"'*) say '{"protocol":1,"name":"dial","splits":{"train":2},"max_steps":5,"fork":"replay"}' ;;
    *'"op":"reset"'*) at=0; see ;;
    *'"op":"step"'*'"action":"turn"}') at=$((at + 1)); DRIFT=$DRIFT_BY$DRIFT; see ;;
    *'"op":"step"'*) see ;;
    *) say '{}' ;;
  esac
done
`

// env check ends with 3 where there is a fault, which it names with its field, and with 2 where it cannot begin.
func TestEnvCheck(t *testing.T) {
	s := newSession(t)
	script, config := filepath.Join(s.dir, "dial.sh"), filepath.Join(s.dir, "sparkd.toml")
	write := func(drift string) {
		t.Helper()
		program := strings.Replace(dial, "$DRIFT_BY", drift, 1)
		toml := "[env.dial]\nkind = \"exec\"\ncommand = [\"sh\", '" + script + "']\n"
		for name, text := range map[string]string{script: program, config: toml} {
			if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("")
	sound := s.run("env", "check", "dial", "-c", config, "--tasks", "1")
	if sound.code != exitOK || !strings.Contains(sound.stdout, "✔ copies its state") ||
		strings.Contains(sound.stdout, "✘") {
		t.Errorf("%+v", sound)
	}
	write("+")
	faulty := s.run("env", "check", "dial", "-c", config, "--tasks", "1", "--seed", "4")
	for _, want := range []string{"✘ repeats itself", `text was "The dial is at 0."`, `is "The dial is at 0+`,
		"remedy: "} {
		if faulty.code != exitProblems || !strings.Contains(faulty.stdout, want) {
			t.Errorf("want %q in %d %s%s", want, faulty.code, faulty.stdout, faulty.stderr)
		}
	}
	faulty = s.run("env", "check", "dial", "-c", config, "--tasks", "1", "--json")
	var report contract.Report
	if err := json.Unmarshal([]byte(faulty.stdout), &report); err != nil || faulty.code != exitProblems ||
		report.Faults() == 0 || report.Env != "dial" || len(report.Tasks) != 1 {
		t.Errorf("%v: %+v", err, faulty)
	}
	for want, args := range map[string][]string{
		"there is no environment": {"check", "dial"},
		"trainer's process":       {"check", "client"},
		"takes check NAME":        {"chekc", "dial"},
		"play one task at least":  {"check", "dial", "--tasks", "0"},
		"invalid value":           {"check", "dial", "--steps", "many"},
	} {
		if r := s.run(append([]string{"env"}, args...)...); r.code != exitUsage || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: %+v", args, r)
		}
	}
}

// ^C shows what was found before: the rest is open, and neither kept nor broken.
func TestEnvCheckInterrupted(t *testing.T) {
	s := newSession(t)
	script, config := filepath.Join(s.dir, "dial.sh"), filepath.Join(s.dir, "sparkd.toml")
	there := filepath.Join(s.dir, "there")
	hangs := "case $line in *xyzzy*) : > '" + there + "'; sleep 1000 ;; esac\n  id=${line#"
	for name, text := range map[string]string{
		script: strings.Replace(strings.Replace(dial, "$DRIFT_BY", "+", 1), "id=${line#", hangs, 1),
		config: "[env.dial]\nkind = \"exec\"\ncommand = [\"sh\", '" + script + "']\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, flags := range [][]string{nil, {"--json"}} {
		_ = os.Remove(there)
		signals := make(chan os.Signal, 1)
		go func() {
			for t.Context().Err() == nil {
				if _, err := os.Stat(there); err == nil {
					signals <- os.Interrupt
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		var stdout, stderr screenText
		code := s.cli(nil, &stdout, &stderr).main(signals,
			append([]string{"env", "check", "dial", "-c", config, "--tasks", "2"}, flags...))
		if code != exitInterrupted || !strings.Contains(stderr.String(), "interrupted") {
			t.Errorf("exit %d\n%s%s", code, &stdout, &stderr)
		}
		if flags == nil {
			for _, want := range []string{"✔ walks", "✘ repeats itself", "– answers text that is no action",
				"– does not grow", "– leaves nothing behind",
				"interrupted at: dial/train/0 answers text that is no action;"} {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("want %q in\n%s", want, &stdout)
				}
			}
			continue
		}
		var report contract.Report
		if err := json.Unmarshal([]byte(stdout.String()), &report); err != nil || report.Faults() == 0 ||
			report.Interrupted != "dial/train/0 answers text that is no action" {
			t.Errorf("%v: %+v", err, report)
		}
	}
}

// A report for people, with the first difference and what to do.
func TestPresentEnv(t *testing.T) {
	r := &contract.Report{Env: "vault", Fork: "snapshot", Tasks: []string{"vault/train/0", "vault/dev/3"}, Seed: 1,
		Steps: 12, Checks: []contract.Check{
			{Name: "describes itself", State: contract.OK, Note: "snapshot, 12 steps an episode"},
			{Name: "copies its state", State: contract.Failed, Faults: []contract.Fault{{
				Task: "vault/train/0", Message: "a copy restored from a snapshot gave another observation at step 12",
				Field: "text", Want: `"2 turns are left."`, Got: `"12 turns are left.\x1b"`,
				Actions: strings.Fields(strings.Repeat("left right ", 8)), Remedy: "write down all that step reads"}}},
			{Name: "ends an episode once", State: contract.Skipped, Note: "no walk of 12 steps reached an end"},
		}}
	var b bytes.Buffer
	(&cli{}).presentEnv(&b, r)
	golden(t, "env.txt", b.Bytes())
}
