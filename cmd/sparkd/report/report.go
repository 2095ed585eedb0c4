// Package report draws a comparison of branching policies as one HTML page with its
// pictures inside: nothing is loaded from elsewhere, so the file can be kept and mailed.
package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"sparkd"
	"sparkd/branching/measure"
)

// Comparison is what `sparkd compare --json` prints.
type Comparison struct {
	Made          time.Time   `json:"made"`
	Version       string      `json:"version"` // of the sparkd that grew the trees
	Commit        string      `json:"commit"`
	Command       string      `json:"command"` // that makes the comparison again, of the trees that are stored
	Model         string      `json:"model"`
	PolicyVersion string      `json:"policy_version"`
	Engine        string      `json:"engine"`
	Base          sparkd.Spec `json:"base"` // the first row's request; tasks, sampling and budget are those of all
	Rows          []Row       `json:"rows"`
	Warnings      []string    `json:"warnings"` // where rows are not of like with like
}

// Row is one policy in one context.
type Row struct {
	Label      string            `json:"label"`
	Rollout    string            `json:"rollout"`
	Policy     sparkd.Policy     `json:"policy"`
	Context    string            `json:"context"`
	Summary    measure.Summary   `json:"summary"`
	Vote       float64           `json:"vote"`       // share of tasks whose vote over the leaves won
	Difference *measure.Estimate `json:"difference"` // of pass@1 from the first row; nil in it
	Failed     int               `json:"failed"`     // trees
	Seconds    float64           `json:"seconds"`    // wall time
}

// unlike is the share by which leaves or tokens of two rows may differ without a warning.
const unlike = 0.1

// Judge sets the warnings: where rows grew other numbers of leaves or tokens a task than the first.
func (c *Comparison) Judge() {
	c.Warnings = []string{}
	for _, of := range []struct {
		what, why string
		number    func(*measure.Summary) int
	}{
		{"leaves", "pass@N, mixed, vote and saved are not of like with like", leaves},
		{"generated tokens", "--budget-tokens gives all the same", generated},
	} {
		first := perTask(&c.Rows[0], of.number)
		var others []string
		for i := range c.Rows[1:] {
			r := &c.Rows[i+1]
			if mine := perTask(r, of.number); math.Abs(mine-first) > unlike*first {
				others = append(others, fmt.Sprintf("%s %.1f", r.Label, mine))
			}
		}
		if others != nil {
			c.Warnings = append(c.Warnings, fmt.Sprintf("%s a task differ: %s %.1f, %s; %s", of.what, c.Rows[0].Label,
				first, strings.Join(others, ", "), of.why))
		}
	}
}

func leaves(s *measure.Summary) int    { return s.Trajectories }
func generated(s *measure.Summary) int { return s.Generated }

func perTask(r *Row, number func(*measure.Summary) int) float64 {
	return float64(number(&r.Summary)) / float64(max(1, r.Summary.Tasks))
}

//go:embed page.html
var page string

var tmpl = template.Must(template.New("page").Funcs(template.FuncMap{
	"thousands": thousands, "number": func(i int) int { return i + 1 }, "parts": parts,
}).Parse(page))

// HTML writes the page.
func HTML(w io.Writer, c *Comparison) error {
	var heads []string
	var table [][]cell
	for i := range c.Rows {
		table = append(table, cells(&c.Rows[i]))
	}
	for _, cell := range table[0] {
		heads = append(heads, cell.Name)
	}
	return tmpl.Execute(w, struct {
		*Comparison
		Tasks  int
		Heads  []string
		Table  [][]cell
		Charts []chart
		Cost   scatter
		Depths []histogram
	}{c, c.Rows[0].Summary.Tasks, heads, table, charts(c.Rows), costs(c.Rows), depths(c.Rows)})
}

// cell is one of the table; a narrow screen shows its name beside it.
type cell struct{ Name, Value, Note string }

func cells(r *Row) []cell {
	s := &r.Summary
	estimate := func(name string, e measure.Estimate) cell {
		return cell{name, percent(e.Value), "[" + percent(e.Low) + ", " + percent(e.High) + "]"}
	}
	label, difference := cell{Name: "policy", Value: r.Label}, cell{Name: "Δ pass@1", Value: "–"}
	if r.Failed > 0 {
		label.Note = fmt.Sprintf("(%d trees failed)", r.Failed)
	}
	if r.Difference != nil {
		difference = estimate("Δ pass@1", *r.Difference)
	}
	return []cell{label, estimate("pass@1", s.PassAt1), estimate("pass@N", s.PassAtN), {"vote", percent(r.Vote), ""},
		estimate("mixed groups", s.Mixed), difference, {"leaves", thousands(s.Trajectories), ""},
		{"generated tokens", thousands(s.Generated), ""}, {"shared", percent(s.SharedShare.Value), ""},
		{"replayed steps", thousands(s.ReplaySteps), ""},
		{"prompt computed", thousands(s.Computed), ""}, {"prompt unique", thousands(s.Unique), ""},
		{"saved tokens", percent(s.SavedTokens.Value), ""}, {"saved steps", percent(s.Saved.Value), ""},
		{"by formula", percent(s.SavedByFormula), ""}, {"time", fmt.Sprintf("%.1f s", r.Seconds), ""}}
}

// parts are where a label may break: behind the colons.
func parts(label string) []string { return strings.SplitAfter(label, ":") }

func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) }

// thousands writes 12345 as 12 345.
func thousands(n int) string { return strings.ReplaceAll(humanize.Comma(int64(n)), ",", " ") }

// plotWidth is the inner width of all pictures; positions in them are computed here, so that the page holds no
// arithmetic.
const plotWidth = 420.0

// chart shows one share with its interval for every row.
type chart struct {
	Title string
	Bars  []bar
}

// bar is a share, and its interval from Left, all in percent.
type bar struct {
	Label, Value         string
	Length, Left, Spread float64
}

func charts(rows []Row) []chart {
	of := func(title string, value func(*measure.Summary) measure.Estimate) chart {
		c := chart{Title: title}
		for i := range rows {
			e := value(&rows[i].Summary)
			c.Bars = append(c.Bars, bar{Label: rows[i].Label, Value: percent(e.Value) + " %",
				Length: 100 * e.Value, Left: 100 * e.Low, Spread: 100 * (e.High - e.Low)})
		}
		return c
	}
	return []chart{
		of("pass@1: a trajectory succeeds", func(s *measure.Summary) measure.Estimate { return s.PassAt1 }),
		of("pass@N: any trajectory of a task succeeds", func(s *measure.Summary) measure.Estimate { return s.PassAtN }),
		of("mixed groups: trajectories of a task end differently",
			func(s *measure.Summary) measure.Estimate { return s.Mixed }),
	}
}

// scatter shows pass@1 over the generated tokens of a task.
type scatter struct {
	Points         []point
	XTicks, YTicks []tick
}

type point struct {
	Number      int // of the row, from 1
	X, Y        float64
	Top, Bottom float64 // of the interval
	NumberX     float64
}

type tick struct {
	At   float64
	Text string
}

const plotHeight = 220.0

func costs(rows []Row) scatter {
	most, best := 1.0, 0.1
	for i := range rows {
		most = math.Max(most, perTask(&rows[i], generated))
		best = math.Max(best, rows[i].Summary.PassAt1.High)
	}
	most, best = round(most*1.1), math.Min(1, round(best*1.1))
	y := func(v float64) float64 { return plotHeight * (1 - v/best) }
	var s scatter
	for i := range rows {
		e := rows[i].Summary.PassAt1
		x := plotWidth * perTask(&rows[i], generated) / most
		s.Points = append(s.Points, point{i + 1, x, y(e.Value), y(e.High), y(e.Low), 0})
	}
	spread(s.Points)
	for i := range 5 {
		part := float64(i) / 4
		s.XTicks = append(s.XTicks, tick{plotWidth * part, thousands(int(most * part))})
		s.YTicks = append(s.YTicks, tick{plotHeight * (1 - part), fmt.Sprintf("%.0f %%", 100*best*part)})
	}
	return s
}

// spread moves the numbers, which stand in a row above the points, apart.
func spread(points []point) {
	const apart, last = 14, plotWidth + 10
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.X, b.X) })
	for i := range points {
		points[i].NumberX = points[i].X
		if i > 0 {
			points[i].NumberX = max(points[i].X, points[i-1].NumberX+apart)
		}
	}
	for i, at := len(points)-1, float64(last); i >= 0; i, at = i-1, at-apart {
		points[i].NumberX = min(points[i].NumberX, at)
	}
}

// round returns the next number with two digits that is not less.
func round(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return math.Ceil(x/unit) * unit
}

// histogram shows at which depth one row's trees forked.
type histogram struct {
	Label string
	Total int
	Bars  []column
	Ticks []tick
}

type column struct {
	X, Y, Width, Height float64
	Title               string
}

const histogramHeight = 70.0

func depths(rows []Row) []histogram {
	deepest, most := 1, 1
	for i := range rows {
		deepest = max(deepest, len(rows[i].Summary.ForkDepths))
		for _, n := range rows[i].Summary.ForkDepths {
			most = max(most, n)
		}
	}
	width := plotWidth / float64(deepest)
	var out []histogram
	for i := range rows {
		h := histogram{Label: rows[i].Label}
		for depth, n := range rows[i].Summary.ForkDepths {
			h.Total += n
			if n > 0 {
				height := histogramHeight * float64(n) / float64(most)
				h.Bars = append(h.Bars, column{
					X: width*float64(depth) + 1, Y: histogramHeight - height,
					Width: math.Max(1, width-2), Height: height,
					Title: fmt.Sprintf("%d forks after %d steps", n, depth),
				})
			}
		}
		for depth := 0; depth < deepest; depth += max(1, deepest/6) {
			h.Ticks = append(h.Ticks, tick{width * (float64(depth) + .5), strconv.Itoa(depth)})
		}
		out = append(out, h)
	}
	return out
}
