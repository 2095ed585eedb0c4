package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sparkd"
	"sparkd/coldstart"
)

// status is a line about work under way: written over on a terminal, and elsewhere plain.
type status struct {
	out   io.Writer
	width int // of the terminal; 0: plain lines
	color bool
	begin time.Time // of the work
	shown time.Time // when the last line was written
}

// status begins one, of which nothing is seen where JSON was asked for.
func (c *cli) status() status {
	s := status{out: c.stderr, width: c.bar, color: c.barColor, begin: time.Now()}
	if c.json {
		s.out, s.width = io.Discard, 0
	}
	return s
}

// plainEvery is how often plain lines are written.
const plainEvery = 5 * time.Second

// write writes l, behind a bar of what is done where it is written over.
func (s *status) write(done float64, l line, now time.Time) {
	s.shown = now
	if s.width == 0 {
		fmt.Fprintln(s.out, l.render(0, false))
		return
	}
	l = append(line{{style: green, text: bar(done, 10) + " "}}, l...)
	fmt.Fprint(s.out, "\r\x1b[K", l.render(s.width-1, s.color))
}

func bar(fraction float64, width int) string {
	full := int(fraction * float64(width))
	return strings.Repeat("━", full) + strings.Repeat("┄", width-full)
}

// minutes writes the time since the work began as 1:03.
func (s *status) minutes(now time.Time) string {
	d := now.Sub(s.begin)
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

// progress shows how far a rollout has come.
type progress struct {
	status
	window []speed // the last speedOver
}

// speed is a point of the curve that tokens per second are read from.
type speed struct {
	at     time.Time
	tokens int
}

const speedOver = 20 * time.Second // tokens arrive by rounds, seconds apart

// show writes the state of now. last asks for a plain line whenever the last one was.
func (p *progress) show(r *sparkd.Rollout, now time.Time, last bool) {
	rate := p.rate(r.Stats.GeneratedTokens, now)
	if p.width > 0 || last || now.Sub(p.shown) >= plainEvery {
		p.write(fraction(r), p.facts(r, rate, now), now)
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
		percent(s.CachedTokens, s.PromptTokens), p.minutes(now))}}
	if s.Failed > 0 {
		l = append(l, piece{style: red, text: " · " + count(s.Failed, "broken branch")})
	}
	counts := fmt.Sprintf(" · %s · %s", count(s.Nodes, "step"), count(s.GeneratedTokens, "token"))
	return append(l, piece{style: dim, text: counts})
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

// coldstartProgress shows how far a long run has come. A run of a second shows nothing.
type coldstartProgress struct {
	status
	quiet   bool
	total   int  // trajectories that were asked for
	dirty   bool // a line stands on the terminal
	leftOut int  // paths named so far
}

const screenEvery = 100 * time.Millisecond

// update names what was left out since, and shows the state of now.
func (p *coldstartProgress) update(r *coldstart.Report) {
	for ; p.leftOut < len(r.LeftOut) && !p.quiet; p.leftOut++ {
		p.clear()
		left := r.LeftOut[p.leftOut]
		fmt.Fprintf(p.out, "left out %s: %s\n", left.Task, clean(left.Reason))
	}
	p.show(r, time.Now())
}

// show writes the state of now, if it is time for it.
func (p *coldstartProgress) show(r *coldstart.Report, now time.Time) {
	every, first := plainEvery, plainEvery
	if p.width > 0 {
		every, first = screenEvery, time.Second
	}
	if p.quiet || now.Sub(p.begin) < first || now.Sub(p.shown) < every {
		return
	}
	l := line{{text: fmt.Sprintf("trajectories %d/%d · %s", r.Trajectories+r.Skipped, p.total, count(r.Steps, "step"))}}
	if n := len(r.LeftOut); n > 0 {
		l = append(l, piece{style: yellow, text: fmt.Sprintf(" · %d left out", n)})
	}
	l = append(l, piece{style: dim, text: " · " + p.minutes(now)})
	seen := float64(r.Trajectories + r.Skipped + len(r.LeftOut))
	p.write(min(1, seen/float64(p.total)), l, now)
	p.dirty = p.width > 0
}

// clear takes the line from the terminal.
func (p *coldstartProgress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}
