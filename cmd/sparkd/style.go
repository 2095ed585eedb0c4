package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// A style is an ANSI attribute; plain text has none.
type style string

const (
	plain   style = ""
	bold    style = "1"
	dim     style = "2"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	magenta style = "35"
)

// piece is text of one style; line is what stands on one row of the screen.
type (
	piece struct {
		style style
		text  string
		soft  bool // gives way first where the row is too narrow
	}
	line []piece
)

// render returns the line within width cells (0: as long as it is), with or without
// colour. In a line that is too long the soft piece gives way first.
func (l line) render(width int, color bool) string {
	if width > 0 {
		l = l.fit(width)
	}
	var b strings.Builder
	for _, p := range l {
		if color && p.style != plain && p.text != "" {
			p.text = "\x1b[" + string(p.style) + "m" + p.text + "\x1b[0m"
		}
		b.WriteString(p.text)
	}
	return strings.TrimRight(b.String(), " ")
}

// leastSoft is what is left at least of a soft piece.
const leastSoft = 12

func (l line) fit(width int) line {
	over := -width
	for _, p := range l {
		over += cells(p.text)
	}
	out := slices.Clone(l)
	for i, p := range out {
		if n := cells(p.text); p.soft && over > 0 && n > leastSoft {
			out[i].text = cut(p.text, max(n-over, leastSoft))
			over -= n - cells(out[i].text)
		}
	}
	for i, p := range out {
		n := cells(p.text)
		if over > 0 && n >= width {
			out[i].text = cut(p.text, width)
			return out[:i+1]
		}
		width -= n
	}
	return out
}

// letters measures text; what a terminal of East Asia may show wide counts as narrow.
var letters = runewidth.Condition{StrictEmojiNeutral: true}

// cut returns the beginning of text, behind which more is left out, that fills at most
// width cells, the last of them an ellipsis.
func cut(text string, width int) string { return letters.Truncate(text+" ", width, "…") }

// cells is the number of terminal cells that text fills.
func cells(text string) int { return letters.StringWidth(text) }

// clean makes text that a model or an environment wrote safe for a terminal: one
// line, and no control or format characters, which could move the cursor or hide text.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) || r == unicode.ReplacementChar:
			return '·'
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// screen says how to write to a file: the width of its terminal (0 when it is none)
// and whether colours are welcome (no-color.org).
func screen(f *os.File, env func(string) string) (width int, color bool) {
	if !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return width, env("NO_COLOR") == "" && env("TERM") != "dumb"
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}
