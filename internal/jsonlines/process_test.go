package jsonlines

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Options{Command: []string{"sh", "-c", script}, MaxLine: 100, Keep: 2})
	if err != nil {
		t.Skipf("SKIPPED: no shell: %v", err)
	}
	t.Cleanup(func() { p.End(0) })
	return p
}

func TestAnswers(t *testing.T) {
	p := start(t, "while read line; do echo got $line; done; echo the end >&2")
	for _, line := range []string{"a", "b"} {
		if _, err := p.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		if got := <-p.Lines; string(got) != "got "+line {
			t.Errorf("%q", got)
		}
	}
	if !p.End(time.Minute) || !p.End(0) || !p.State.Success() || p.Tail.Words() != "; its last words: the end" {
		t.Errorf("%v%s", p.State, p.Tail.Words())
	}
}

// End reaches what ignores the end of its input.
func TestEndKills(t *testing.T) {
	p := start(t, "trap '' TERM; sleep 1000 & echo started; wait; sleep 1000")
	if line := <-p.Lines; string(line) != "started" {
		t.Fatalf("%q", line)
	}
	if p.End(time.Millisecond) || p.State.Success() {
		t.Errorf("it ended by itself: %v", p.State)
	}
}

func TestLineTooLong(t *testing.T) {
	p := start(t, "head -c 200 /dev/zero | tr '\\0' x; echo; echo more")
	if line, ok := <-p.Lines; line != nil || !ok {
		t.Errorf("%q, %v", line, ok)
	}
	if line, ok := <-p.Lines; ok {
		t.Errorf("%q after the last line", line)
	}
}

func TestNoProgram(t *testing.T) {
	if _, err := Start(Options{Command: []string{"no-such-program"}}); err == nil {
		t.Error("it was started")
	}
}

func TestTail(t *testing.T) {
	var got []string
	tail := &Tail{Log: func(line string) { got = append(got, line) }, Keep: 2}
	for _, part := range []string{"a\n\nb", "c\r\n", strings.Repeat("x", 2*MaxLogLine), "\ny\xff\n", " \nz"} {
		if n, err := tail.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := []string{"a", "bc", strings.Repeat("x", MaxLogLine), "y\uFFFD"}; !slices.Equal(got, want) {
		t.Errorf("logged %.200q", got)
	}
	if words := tail.Words(); words != "; its last words: y\uFFFD | z" {
		t.Errorf("%q", words)
	}
	if none := (*Tail)(nil).Words(); none != "" {
		t.Errorf("%q", none)
	}
}
