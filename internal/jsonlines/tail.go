package jsonlines

import (
	"bytes"
	"strings"
	"sync"

	"sparkd/internal/excerpt"
)

const (
	MaxLogLine = 4096 // bytes of a line of stderr; the rest is cut
	maxWords   = 2000 // runes of stderr that an error shows
)

// Tail takes what a program writes to stderr: it logs line by line and remembers the last lines that are not blank.
type Tail struct {
	Log  func(line string) // nil: nobody
	Keep int               // lines

	mu    sync.Mutex
	line  []byte // not yet whole
	lines []string
}

// Write implements io.Writer.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		t.line = append(t.line, part[:min(len(part), MaxLogLine-len(t.line))]...)
		if rest = after; !whole {
			break
		}
		text := strings.ToValidUTF8(strings.TrimRight(string(t.line), "\r"), "\uFFFD")
		t.line = t.line[:0]
		if strings.TrimSpace(text) == "" {
			continue
		}
		t.lines = append(t.lines, text)
		t.lines = t.lines[max(0, len(t.lines)-t.Keep):]
		if t.Log != nil {
			t.Log(text)
		}
	}
	return len(p), nil
}

// Words are the last lines as the end of an error message, or "".
func (t *Tail) Words() string {
	if t == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := t.lines
	if rest := strings.TrimSpace(string(t.line)); rest != "" { // a last line without an end
		lines = append(lines[:len(lines):len(lines)], rest)
		lines = lines[max(0, len(lines)-t.Keep):]
	}
	if len(lines) == 0 {
		return ""
	}
	return "; its last words: " + excerpt.Text(strings.Join(lines, " | "), maxWords)
}
