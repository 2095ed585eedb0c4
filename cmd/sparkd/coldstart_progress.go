package main

import (
	"fmt"
	"io"
	"time"

	"sparkd/coldstart"
)

// coldstartProgress shows how far a long run has come: on a terminal as one line that is
// written over, elsewhere as a plain line every few seconds. A run of a second shows nothing.
type coldstartProgress struct {
	out   io.Writer
	width int // of the terminal; 0: plain lines
	color bool
	quiet bool
	begin time.Time
	total int // trajectories that were asked for

	shown   time.Time // when the last line was written
	dirty   bool      // a line stands on the terminal
	leftOut int       // paths named so far
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
	p.shown = now
	text := fmt.Sprintf("trajectories %d/%d · %s", r.Trajectories+r.Skipped, p.total, count(r.Steps, "step"))
	l := line{{text: text}}
	if n := len(r.LeftOut); n > 0 {
		l = append(l, piece{style: yellow, text: fmt.Sprintf(" · %d left out", n)})
	}
	l = append(l, piece{style: dim, text: " · " + minutes(now.Sub(p.begin))})
	if p.width == 0 {
		fmt.Fprintln(p.out, l.render(0, false))
		return
	}
	seen := float64(r.Trajectories + r.Skipped + len(r.LeftOut))
	l = append(line{{style: green, text: bar(min(1, seen/float64(p.total)), 10) + " "}}, l...)
	fmt.Fprint(p.out, "\r\x1b[K", l.render(p.width-1, p.color))
	p.dirty = true
}

// clear takes the line from the terminal.
func (p *coldstartProgress) clear() {
	if p.dirty {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.dirty = false
	}
}
