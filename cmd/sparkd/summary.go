package main

import (
	"fmt"
	"io"

	"sparkd"
)

// summary writes a table with one row per tree and the sum of them.
func summary(w io.Writer, trees []*sparkd.Tree, color bool) error {
	rows := [][]string{{"task", "leaves", "forks", "steps", "success", "generated", "computed", "reused", "reuse"}}
	var sum sparkd.Stats
	for _, t := range trees {
		rows = append(rows, summaryRow(t.Task.String(), t.Stats, t.State))
		sum.Add(t.Stats)
	}
	if len(trees) > 1 {
		rows = append(rows, summaryRow("all", sum, sparkd.TreeDone))
	}
	return table(w, rows, color)
}

// table writes rows under a header, the first column to the left.
func table(w io.Writer, rows [][]string, color bool) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], cells(cell))
		}
	}
	style := dim
	for _, row := range rows {
		text := letters.FillRight(row[0], widths[0])
		for i, cell := range row[1:] {
			text += "  " + letters.FillLeft(cell, widths[i+1])
		}
		if _, err := fmt.Fprintln(w, line{{style: style, text: text}}.render(0, color)); err != nil {
			return err
		}
		style = plain
	}
	return nil
}

func summaryRow(name string, s sparkd.Stats, state sparkd.TreeState) []string {
	if state != sparkd.TreeDone {
		name += " (" + string(state) + ")"
	}
	return []string{name, thousands(s.Leaves), thousands(s.Forks), thousands(s.Nodes),
		fmt.Sprintf("%d/%d", s.Successes, s.Leaves), thousands(s.GeneratedTokens), thousands(s.ComputedTokens),
		thousands(s.CachedTokens), percent(s.CachedTokens, s.PromptTokens)}
}

// mostForked is the tree that says most about branching.
func mostForked(trees []*sparkd.Tree) *sparkd.Tree {
	var best *sparkd.Tree
	for _, t := range trees {
		if best == nil || t.Stats.Forks > best.Stats.Forks {
			best = t
		}
	}
	return best
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}
