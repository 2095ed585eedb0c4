package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sparkd"
)

// progress shows how far a rollout has come: as one line that is written over on a
// terminal, and as a plain line every few seconds elsewhere.
type progress struct {
	out   io.Writer
	width int // of the terminal; 0: plain lines
	color bool
	begin time.Time

	shown  time.Time // of the last plain line
	window []speed   // the last speedOver
}

// speed is a point of the curve that tokens per second are read from.
type speed struct {
	at     time.Time
	tokens int
}

const (
	plainEvery = 5 * time.Second
	speedOver  = 20 * time.Second // tokens arrive by rounds, seconds apart
)

// show writes the state of now. last asks for a plain line whenever the last one was.
func (p *progress) show(r *sparkd.Rollout, now time.Time, last bool) {
	rate := p.rate(r.Stats.GeneratedTokens, now)
	if p.width > 0 {
		l := append(line{{style: green, text: bar(fraction(r), 10) + " "}}, p.facts(r, rate, now)...)
		fmt.Fprint(p.out, "\r\x1b[K", l.render(p.width-1, p.color))
		return
	}
	if last || now.Sub(p.shown) >= plainEvery {
		p.shown = now
		fmt.Fprintln(p.out, p.facts(r, rate, now).render(0, false))
	}
}

// end leaves the line of a terminal.
func (p *progress) end() {
	if p.width > 0 {
		fmt.Fprintln(p.out)
	}
}

// rate is the tokens per second over the window.
func (p *progress) rate(tokens int, now time.Time) float64 {
	p.window = append(p.window, speed{now, tokens})
	for len(p.window) > 2 && now.Sub(p.window[1].at) >= speedOver {
		p.window = p.window[1:]
	}
	first := p.window[0]
	if seconds := now.Sub(first.at).Seconds(); seconds > 0 {
		return float64(tokens-first.tokens) / seconds
	}
	return 0
}

// facts are in the order of what a narrow terminal should show first.
func (p *progress) facts(r *sparkd.Rollout, rate float64, now time.Time) line {
	s := r.Stats
	l := line{{text: fmt.Sprintf("trees %d/%d · leaves %d/%d · forks %d · %.1f tok/s · reuse %s · %s",
		r.Done+r.Failed, len(r.Trees), s.Leaves, len(r.Trees)*r.Spec.Budget.Leaves, s.Forks, rate,
		percent(s.CachedTokens, s.PromptTokens), minutes(now.Sub(p.begin).Round(time.Second)))}}
	if s.Failed > 0 {
		l = append(l, piece{style: red, text: " · " + count(s.Failed, "broken branch")})
	}
	counts := fmt.Sprintf(" · %s · %s", count(s.Nodes, "step"), count(s.GeneratedTokens, "token"))
	return append(l, piece{style: dim, text: counts})
}

// minutes writes a time as 1:03.
func minutes(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// fraction is how much of a rollout is done at least: of its trees, or of the steps
// that its budget allows, whichever is more.
func fraction(r *sparkd.Rollout) float64 {
	if r.State.Ended() {
		return 1
	}
	trees := float64(len(r.Trees))
	most := trees * float64(r.Spec.Budget.Leaves*r.Spec.MaxSteps)
	if trees == 0 || most == 0 {
		return 0
	}
	return min(1, max(float64(r.Done+r.Failed)/trees, float64(r.Stats.Nodes)/most))
}

func bar(fraction float64, width int) string {
	full := int(fraction * float64(width))
	return strings.Repeat("━", full) + strings.Repeat("┄", width-full)
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}
