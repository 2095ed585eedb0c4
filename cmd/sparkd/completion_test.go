package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Completions come for every shell, and shells that are there can read them.
func TestCompletion(t *testing.T) {
	s := newSession(t)
	for shell := range shells {
		script := s.must("completion", shell).stdout
		if !strings.Contains(script, "sparkd") || !strings.Contains(script, "__complete") {
			t.Errorf("%s:\n%.300s", shell, script)
		}
		program, err := exec.LookPath(shell)
		if err != nil || shell == "powershell" {
			continue // powershell cannot check without running
		}
		check := exec.Command(program, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s -n: %v\n%s", shell, err, out)
		}
	}
}

// What a shell is answered.
func TestCompletes(t *testing.T) {
	s := newSession(t)
	for _, c := range []struct{ asked, want string }{
		{"ro", "rollouts\tList rollouts\n"},
		{"run --tas", "--tasks\tnumber of tasks\n"},
		{"export --pol", ":4\n"},
		{"completion z", "zsh\n"},
		{"run --policy ", "spark\nlinear\n"},
		{"compare --policies spark,en", "spark,spark\nspark,linear\n"},
		{"export --format ", "tree\nrows\n"},
		{"tree --advantage ", "grpo\ndrgrpo\n"},
		{"run --context ", "append\nwindow\n:4\n"},
	} {
		r := s.must(append([]string{"__complete"}, strings.Split(c.asked, " ")...)...)
		if !strings.HasPrefix(r.stdout, c.want) {
			t.Errorf("%s: %q, want %q", c.asked, r.stdout, c.want)
		}
	}
}

// There is a man page for every command, with its flags and its example.
func TestMan(t *testing.T) {
	s := newSession(t)
	folder := filepath.Join(s.dir, "man", "man1")
	s.must("man", folder)
	pages := []string{"sparkd"}
	for _, cmd := range (&cli{}).root().Commands() {
		if cmd.IsAvailableCommand() {
			pages = append(pages, "sparkd-"+cmd.Name())
		}
	}
	if files, err := os.ReadDir(folder); err != nil || len(files) != len(pages) {
		t.Errorf("%d pages of %d commands, %v", len(files), len(pages), err)
	}
	for _, page := range pages {
		text := readFile(t, filepath.Join(folder, page+".1"))
		if !strings.Contains(text, `\fB--json\fP`) || page != "sparkd" && !strings.Contains(text, ".SH EXAMPLE") {
			t.Errorf("%s:\n%s", page, text)
		}
	}
}
