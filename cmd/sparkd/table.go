package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// column is one of a table. Those of the highest rank give way first where the screen is too narrow.
type column struct {
	head string
	rank int
}

// gap is what stands between two columns.
const gap = "  "

// table writes rows under their heads, the first column to the left, and names the columns that found no room.
func (c *cli) table(w io.Writer, columns []column, rows [][]string) {
	widths, total := make([]int, len(columns)), 0
	for i, column := range columns {
		widths[i] = cells(column.head)
		for _, row := range rows {
			widths[i] = max(widths[i], cells(row[i]))
		}
		total += widths[i] + len(gap)
	}
	left := map[string]bool{}
	for c.width > 0 && total-len(gap) > c.width && len(left) < len(columns)-1 {
		least := -1
		for i, column := range columns {
			if !left[column.head] && (least < 0 || column.rank > columns[least].rank) {
				least = i
			}
		}
		left[columns[least].head] = true
		total -= widths[least] + len(gap)
	}
	heads, style := make([]string, len(columns)), dim
	for i, column := range columns {
		heads[i] = column.head
	}
	for _, row := range slices.Insert(slices.Clone(rows), 0, heads) {
		var shown []string
		for i, cell := range row {
			switch {
			case left[heads[i]]:
			case i == 0:
				shown = append(shown, letters.FillRight(cell, widths[i]))
			default:
				shown = append(shown, letters.FillLeft(cell, widths[i]))
			}
		}
		fmt.Fprintln(w, line{{style: style, text: strings.Join(shown, gap)}}.render(c.width, c.color))
		style = plain
	}
	if len(left) > 0 {
		heads = slices.DeleteFunc(heads, func(head string) bool { return !left[head] })
		fmt.Fprintf(w, "no room for %s: widen the screen, or --json\n", strings.Join(heads, ", "))
	}
}

// attributes are what colours text, and fill no cells.
var attributes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// wrap breaks the lines of text at blanks, so that they fill at most width cells; 0 leaves them. What goes on in
// another line is set off from where its line begins.
func wrap(text string, width int) string {
	var b strings.Builder
	for row := range strings.Lines(text) {
		if width > 0 && cells(attributes.ReplaceAllString(row, "")) > width {
			row = wrapLine(row, width)
		}
		b.WriteString(row)
	}
	return b.String()
}

func wrapLine(row string, width int) string {
	var b strings.Builder
	indent := row[:len(row)-len(strings.TrimLeft(row, " "))] + gap
	used := 0
	for i, word := range strings.Split(row, " ") {
		n := cells(attributes.ReplaceAllString(word, ""))
		switch {
		case i == 0:
		case used+1+n > width && used > len(indent):
			b.WriteString("\n" + indent)
			used = len(indent)
		default:
			b.WriteString(" ")
			used++
		}
		b.WriteString(word)
		used += n
	}
	return b.String()
}
