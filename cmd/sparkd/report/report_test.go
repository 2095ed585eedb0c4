package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sparkd/branching/measure"
)

func comparison(rows ...Row) *Comparison {
	c := &Comparison{Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: "v9.8.7", Commit: "0123456789ab",
		Command: "sparkd compare --id 'a<b'", Model: "m.gguf", PolicyVersion: "fedcba", Engine: "embedded", Rows: rows}
	c.Judge()
	return c
}

func row(label string, leaves, tokens int) Row {
	return Row{Label: label, Rollout: "id-" + label, Summary: measure.Summary{Tasks: 2, Trajectories: leaves,
		Generated: tokens}}
}

// The page says what it was made from, what each policy grew, and where that is not of like with like.
func TestPage(t *testing.T) {
	c := comparison(row("spark", 16, 9000), row("tree-grpo", 12, 9100), row("a:b=1", 15, 5000))
	var b strings.Builder
	if err := HTML(&b, c); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"2026-01-02 03:04:05 UTC", "v9.8.7, commit 0123456789ab", "m.gguf, version fedcba, on embedded",
		"sparkd compare --id &#39;a&lt;b&#39;", "rollout id-spark", "rollout id-a:b=1", `data-name="leaves"><span>12`,
		`data-name="generated tokens"><span>9 100`, "leaves a task differ: spark 8.0, tree-grpo 6.0; pass@N",
		"generated tokens a task differ: spark 4500.0, a:b=1 2500.0; --budget-tokens",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if c := comparison(row("spark", 16, 1000), row("linear", 15, 1099)); c.Warnings == nil || len(c.Warnings) > 0 {
		t.Errorf("rows that are nearly alike are warned of: %q", c.Warnings)
	}
}

// However near points are, their numbers stand apart and within the picture.
func TestNumbersDoNotOverlap(t *testing.T) {
	for _, n := range []int{1, 2, 8, 20} {
		for _, at := range []float64{0, plotWidth / 2, plotWidth} {
			var points []point
			for i := range n {
				points = append(points, point{Number: i + 1, X: at + float64(i%3)/10})
			}
			spread(points)
			shown := fmt.Sprint(points)
			for i := range points {
				x := points[i].NumberX
				if x < 0 && at > 0 || x > plotWidth+20 || i > 0 && x-points[i-1].NumberX < 13.9 {
					t.Fatalf("%d points at %v: %s", n, at, shown)
				}
			}
			if !slices.IsSortedFunc(points, func(a, b point) int { return int(a.NumberX - b.NumberX) }) {
				t.Error(shown)
			}
		}
	}
}
