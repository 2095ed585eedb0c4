package mcp

import (
	"bytes"
	"sync"

	"sparkd/env/connector"
)

// maxLine bounds a line of stderr; the rest is cut.
const maxLine = 4096

// lines is the stderr of a program: it logs line by line and remembers the last one.
type lines struct {
	log func(line string)

	mu   sync.Mutex
	line []byte // not yet whole; guarded by mu
	said string // the last line that was not empty; guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, part[:min(len(part), maxLine-len(l.line))]...)
		if rest = after; !whole {
			break
		}
		if text := connector.Excerpt(string(l.line)); text != "" {
			l.said = text
			l.log(text)
		}
		l.line = l.line[:0]
	}
	return len(p), nil
}

// last words the last line for an error message; nil has none.
func (l *lines) last() string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.said == "" {
		return ""
	}
	return "; its last words: " + l.said
}
