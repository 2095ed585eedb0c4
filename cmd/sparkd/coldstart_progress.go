package main

import (
	"fmt"
	"io"
	"time"
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

	shown time.Time // when the last line was written
	dirty bool      // a line stands on the terminal
}

const screenEvery = 100 * time.Millisecond

// show writes the state of now, if it is time for it.
func (p *coldstartProgress) show(r *coldstartReport, now time.Time) {
	every, first := plainEvery, plainEvery
	if p.width > 0 {
		every, first = screenEvery, time.Second
	}
	if p.quiet || now.Sub(p.begin) < first || now.Sub(p.shown) < every {
		return
	}
	p.shown = now
	seen := r.Trajectories + r.Skipped + len(r.LeftOut)
	took := now.Sub(p.begin)
	l := line{{text: fmt.Sprintf("trajectories %d/%d · %s", r.Trajectories+r.Skipped, p.total, count(r.Steps, "step"))}}
	if n := len(r.LeftOut); n > 0 {
		l = append(l, piece{style: yellow, text: fmt.Sprintf(" · %d left out", n)})
	}
	l = append(l, piece{style: dim, text: fmt.Sprintf(" · %d:%02d", int(took.Minutes()), int(took.Seconds())%60)})
	if p.width == 0 {
		fmt.Fprintln(p.out, l.render(0, false))
		return
	}
	l = append(line{{style: green, text: bar(min(1, float64(seen)/float64(p.total)), 10) + " "}}, l...)
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
