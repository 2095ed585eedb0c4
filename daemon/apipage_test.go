//go:build cgo && unix

package daemon_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sparkd/daemon"
)

// example is an indented block of a page: commands, or what they print.
type example struct {
	line    int
	command bool
	text    string
}

// examples reads the indented blocks of a page. One that begins with curl, or with a shell's
// word, is a command; the next is its output.
func examples(page string) []example {
	var out []example
	for i, line := range strings.Split(page, "\n") {
		text, indented := strings.CutPrefix(line, "    ")
		last := len(out) - 1
		switch {
		case indented && last >= 0 && out[last].line < 0:
			out[last].text += "\n" + text
		case indented:
			out = append(out, example{-i - 1, shellWord.MatchString(text), text})
		case last >= 0 && out[last].line < 0:
			out[last].line = -out[last].line
		}
	}
	return out
}

var shellWord = regexp.MustCompile(`^(curl|until|[a-z]+=\$\()`)

// What differs from run to run, and what a page leaves out.
var varying = []struct{ is, may *regexp.Regexp }{
	{regexp.MustCompile(`01[0-9A-HJKMNP-TV-Z]{24}`), regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{26}`)},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)},
	{regexp.MustCompile(`-?\d+(\.\d+)?`), regexp.MustCompile(`-?\d+(\.\d+)?(e-?\d+)?`)},
	{regexp.MustCompile(`…`), regexp.MustCompile(`.*`)},
}

// pattern is what a printed line must match.
func pattern(line string) *regexp.Regexp {
	var out strings.Builder
	for line != "" {
		from, to, may := len(line), len(line), ""
		for _, v := range varying {
			if at := v.is.FindStringIndex(line); at != nil && at[0] < from {
				from, to, may = at[0], at[1], v.may.String()
			}
		}
		out.WriteString(regexp.QuoteMeta(line[:from]) + may)
		line = line[to:]
	}
	return regexp.MustCompile("^" + out.String() + "$")
}

// Every command of docs/api.md, in the order of the page, prints what stands below it.
func TestAPIPage(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED: the commands of docs/api.md need curl")
	}
	page, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, filepath.Join(t.TempDir(), "data"))
	c.Engine.Model = daemon.Default().Engine.Model
	r := start(t, c, daemon.Parts{})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	blocks, script := examples(string(page)), strings.Builder{}
	for i, b := range blocks {
		if b.command {
			commands := strings.ReplaceAll(b.text, "http://127.0.0.1:8787", "http://"+r.Addr().String())
			commands = strings.ReplaceAll(commands, "curl -N", "curl -N --max-time 2") // the stream has no end
			commands = regexp.MustCompile(`\bcurl `).ReplaceAllString(commands, "curl -s ")
			fmt.Fprintf(&script, "echo; echo '@@@ %d'\n%s\n", i, commands)
		}
	}
	sh := exec.CommandContext(ctx, "sh", "-c", script.String())
	sh.Dir = ".." // the root of the repository
	var printed, problems bytes.Buffer
	sh.Stdout, sh.Stderr = &printed, &problems
	if err := sh.Run(); err != nil || problems.Len() > 0 {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	compared := 0
	for part := range strings.SplitSeq(printed.String(), "\n@@@ ") {
		var i int
		if _, err := fmt.Sscan(part, &i); err != nil || i+1 >= len(blocks) || blocks[i+1].command {
			continue // nothing stands below it
		}
		compare(t, blocks[i+1], strings.Split(part, "\n")[1:])
		compared++
	}
	if compared < 15 {
		t.Errorf("only %d commands were compared:\n%s", compared, printed.String())
	}
}

// compare finds the lines of a block among those printed, in their order.
func compare(t *testing.T, b example, printed []string) {
	t.Helper()
	rest := printed
	for line := range strings.SplitSeq(b.text, "\n") {
		if line = strings.TrimRight(line, " "); line == "" {
			continue
		}
		want, found := pattern(line), false
		for k, got := range rest {
			if want.MatchString(strings.TrimRight(got, "\r")) {
				rest, found = rest[k+1:], true
				break
			}
		}
		if !found {
			t.Errorf("docs/api.md:%d: nothing printed matches\n%s\nprinted:\n%.1500s",
				b.line, line, strings.Join(printed, "\n"))
			return
		}
	}
}
