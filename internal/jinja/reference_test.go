package jinja_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"sparkd/internal/jinja"
	"sparkd/internal/jinja/jinjatest"
)

var update = flag.Bool("update", false, "ask Jinja2 for the answers in testdata/expressions.json anew")

// sources makes templates of a line: of itself where it has tags, else of an expression, once as it prints and once
// as its repr in a list. ⏎ stands for a line end.
func sources(line string) []string {
	line = strings.ReplaceAll(line, "⏎", "\n")
	if strings.Contains(line, "{{ ") || strings.Contains(line, "{%") || strings.HasPrefix(line, "{{") {
		return []string{line}
	}
	return []string{"{{ " + line + " }}", "{{ [" + line + "] }}"}
}

func readLines(t *testing.T, path string) (lines []string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if line := s.Text(); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

func render(source string, vars jinja.Object) (string, error) {
	template, err := jinja.Parse(source)
	if err != nil {
		return "", err
	}
	return template.Render(vars)
}

// answer is what Jinja2 makes of a template: a text, or an error whose words are its own.
type answer struct {
	Source string `json:"source"`
	Text   string `json:"text"`
	Error  string `json:"error,omitempty"`
}

// Every line of testdata/expressions.txt is rendered as Jinja2 renders it, or refused as there.
func TestLikeJinja2(t *testing.T) {
	const golden = "testdata/expressions.json"
	if *update {
		var b strings.Builder
		reference := jinjatest.NewReference(t)
		for _, line := range readLines(t, "testdata/expressions.txt") {
			for _, source := range sources(line) {
				a := answer{Source: source}
				var err error
				if a.Text, err = reference.Render(t, source, nil); err != nil {
					a.Error = err.Error()
				}
				row, _ := json.Marshal(a)
				b.Write(append(row, '\n'))
			}
		}
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rows := readLines(t, golden)
	for _, row := range rows {
		var want answer
		if err := json.Unmarshal([]byte(row), &want); err != nil {
			t.Fatal(err)
		}
		got, err := render(want.Source, nil)
		if got != want.Text || (err == nil) != (want.Error == "") {
			t.Errorf("%s\ngot  %q, error %v\nwant %q, error %s", want.Source, got, err, want.Text, want.Error)
		}
	}
	asked := 0
	for _, line := range readLines(t, "testdata/expressions.txt") {
		asked += len(sources(line))
	}
	if asked != len(rows) {
		t.Errorf("%d templates have %d answers: run the test with -update", asked, len(rows))
	}
}

// SPARKD_EXPRESSIONS names a file with an expression or a template a line, each optionally with variables: a tab and
// a JSON object. They are compared with Jinja2, and the result is printed as a line of JSON.
func TestExpressions(t *testing.T) {
	path := os.Getenv("SPARKD_EXPRESSIONS")
	if path == "" {
		t.Skip("SKIPPED: SPARKD_EXPRESSIONS names no file")
	}
	reference := jinjatest.NewReference(t)
	tried, differing := 0, []string{}
	for _, line := range readLines(t, path) {
		line, context, _ := strings.Cut(line, "\t")
		vars := jinja.Object{}
		if context != "" {
			if err := json.Unmarshal([]byte(context), &vars); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		for _, source := range sources(line) {
			tried++
			got, err := render(source, vars)
			want, wantErr := reference.Render(t, source, vars)
			if got != want || (err == nil) != (wantErr == nil) {
				differing = append(differing, source)
				t.Errorf("%s\ngot  %q, error %v\nwant %q, error %v", source, got, err, want, wantErr)
			}
		}
	}
	jinjatest.PrintFigure("expressions", tried-len(differing), map[string]any{"tried": tried, "differing": differing})
}
