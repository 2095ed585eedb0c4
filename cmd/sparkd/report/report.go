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

	"github.com/dustin/go-humanize"

	"sparkd"
	"sparkd/branching/measure"
)

// Comparison is what `sparkd compare --json` prints.
type Comparison struct {
	Model  string      `json:"model"`
	Engine string      `json:"engine"`
	Base   sparkd.Spec `json:"base"` // the first row's request; tasks, sampling and budget are those of all
	Rows   []Row       `json:"rows"`
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

//go:embed page.html
var page string

var tmpl = template.Must(template.New("page").Funcs(template.FuncMap{
	"percent":   func(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) },
	"thousands": thousands,
}).Parse(page))

// HTML writes the page.
func HTML(w io.Writer, c *Comparison) error {
	return tmpl.Execute(w, struct {
		*Comparison
		Tasks  int
		Charts []chart
		Cost   scatter
		Depths []histogram
	}{c, c.Rows[0].Summary.Tasks, charts(c.Rows), costs(c.Rows), depths(c.Rows)})
}

// thousands writes 12345 as 12 345.
func thousands(n int) string { return strings.ReplaceAll(humanize.Comma(int64(n)), ",", " ") }

// All pictures have this inner width; positions in them are computed here, so that the page holds no arithmetic.
const (
	plotWidth = 420.0
	rowHeight = 26.0
)

// chart shows one share with its interval for every row.
type chart struct {
	Title  string
	Height float64
	Bars   []bar
}

type bar struct {
	Label, Value        string
	Y, Middle           float64
	Length, Left, Right float64 // of the bar, and of its interval
	TextAt              float64
}

func charts(rows []Row) []chart {
	of := func(title string, value func(*measure.Summary) measure.Estimate) chart {
		c := chart{Title: title, Height: rowHeight * float64(len(rows))}
		for i := range rows {
			e := value(&rows[i].Summary)
			y := rowHeight * float64(i)
			c.Bars = append(c.Bars, bar{
				Label: clip(rows[i].Label), Value: fmt.Sprintf("%.1f %%", 100*e.Value), Y: y, Middle: y + rowHeight/2,
				Length: plotWidth * e.Value, Left: plotWidth * e.Low, Right: plotWidth * e.High,
				TextAt: plotWidth*e.High + 8,
			})
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
	Label       string
	X, Y        float64
	Top, Bottom float64 // of the interval
	LabelY      float64
}

type tick struct {
	At   float64
	Text string
}

const plotHeight = 220.0

func costs(rows []Row) scatter {
	perTask := func(r *Row) float64 { return float64(r.Summary.Generated) / math.Max(1, float64(r.Summary.Tasks)) }
	most, best := 1.0, 0.1
	for i := range rows {
		most = math.Max(most, perTask(&rows[i]))
		best = math.Max(best, rows[i].Summary.PassAt1.High)
	}
	most, best = round(most*1.1), math.Min(1, round(best*1.1))
	y := func(v float64) float64 { return plotHeight * (1 - v/best) }
	var s scatter
	for i := range rows {
		e := rows[i].Summary.PassAt1
		x := plotWidth * perTask(&rows[i]) / most
		s.Points = append(s.Points, point{rows[i].Label, x, y(e.Value), y(e.High), y(e.Low), y(e.Value)})
	}
	spread(s.Points)
	for i := range 5 {
		part := float64(i) / 4
		s.XTicks = append(s.XTicks, tick{plotWidth * part, thousands(int(most * part))})
		s.YTicks = append(s.YTicks, tick{plotHeight * (1 - part), fmt.Sprintf("%.0f %%", 100*best*part)})
	}
	return s
}

// spread moves labels down until none covers another.
func spread(points []point) {
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.Y, b.Y) })
	for i := range points {
		for j := range i {
			near := math.Abs(points[i].X-points[j].X) < plotWidth/4
			if free := points[j].LabelY + 13; near && points[i].LabelY < free {
				points[i].LabelY = free
			}
		}
	}
}

// clip keeps a label within the margin of a chart.
func clip(label string) string {
	if len(label) <= 22 {
		return label
	}
	return label[:21] + "…"
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
