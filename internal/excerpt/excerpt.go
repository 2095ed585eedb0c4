// Package excerpt shortens what other programs say to what a message or a log can hold.
package excerpt

import (
	"fmt"
	"strings"
)

// Text returns the beginning of a text: valid UTF-8, without the blanks around it, at most
// so many runes and an ellipsis.
func Text(text string, most int) string {
	cut := text[:min(len(text), 4*most+4)] // a rune has four bytes at most
	cut = strings.ToValidUTF8(strings.TrimSpace(cut), "\uFFFD")
	if runes := []rune(cut); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return cut
}

// Line quotes the beginning of a line.
func Line(line []byte) string {
	const most = 200
	if len(line) > most {
		return fmt.Sprintf("%q and %d bytes more", line[:most], len(line)-most)
	}
	return fmt.Sprintf("%q", line)
}

// Address shows an address without the name and password, the query and the fragment that it may have, which may be
// secret. It takes what is no address, too.
func Address(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if scheme += "://"; !ok {
		scheme, rest = "", text
	}
	at, behind := strings.LastIndex(rest, "@"), strings.IndexAny(rest, "?#")
	switch {
	case behind >= 0 && at > behind: // either may be part of the other
		return scheme + "***"
	case behind >= 0:
		rest = rest[:behind+1] + "***"
	}
	if at >= 0 {
		rest = "***" + rest[at:]
	}
	return scheme + rest
}
