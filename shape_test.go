package sparkd_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Bounds on the shape of the code: a function fits a screen, a file is about one thing.
const (
	longestLine     = 120 // columns, a tab counting as four
	longestFunction = 60  // lines, outside tests
	longestFile     = 400 // lines
)

// tracked lists the files of the checkout that end in one of the suffixes, without data and what is taken
// over from other projects.
func tracked(t *testing.T, suffixes ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others",
		"--exclude-standard").Output()
	if err != nil {
		t.Skip("SKIPPED: the shape of the code is measured in a git checkout")
	}
	var files []string
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if strings.Contains(name, "engine/embedded/include/") || strings.Contains(name, "testdata/") {
			continue
		}
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			files = append(files, name)
		}
	}
	return files
}

// columns is the width of a line in an editor.
func columns(line string) int { return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t") }

func TestLinesAndFilesFitAScreen(t *testing.T) {
	for _, name := range tracked(t, ".go", ".py", ".cpp", ".h", ".md") {
		f, err := os.Open(name)
		if err != nil {
			continue // removed and not yet committed
		}
		defer f.Close()
		n, scanner := 0, bufio.NewScanner(f)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			n++
			if wide := columns(scanner.Text()); wide > longestLine && !unbreakable(name, scanner.Text()) {
				t.Errorf("%s:%d: %d columns, at most %d", name, n, wide, longestLine)
			}
		}
		if err := scanner.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n > longestFile && !strings.HasSuffix(name, ".md") {
			t.Errorf("%s has %d lines, at most %d", name, n, longestFile)
		}
	}
}

// unbreakable lines of a page are a row of a table, a link, and a line of JSON that a program reads as one.
func unbreakable(name, line string) bool {
	return strings.HasSuffix(name, ".md") &&
		(strings.HasPrefix(line, "|") || strings.Contains(line, "](") || strings.HasPrefix(line, "→") ||
			strings.HasPrefix(line, "←"))
}

func TestFunctionsFitAScreen(t *testing.T) {
	var lengths []int
	for _, name := range tracked(t, ".go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				n := files.Position(fn.End()).Line - files.Position(fn.Pos()).Line + 1
				lengths = append(lengths, n)
				if n > longestFunction {
					t.Errorf("%s: %s has %d lines, at most %d", name, fn.Name.Name, n, longestFunction)
				}
			}
		}
	}
	slices.Sort(lengths)
	if median, p90 := lengths[len(lengths)/2], lengths[len(lengths)*9/10]; median > 10 || p90 > 30 {
		t.Errorf("functions have %d lines in the median (at most 10), %d at the 90th percentile (at most 30)", median,
			p90)
	}
}
