package main

import (
	"fmt"
	"time"

	"sparkd/coldstart"
)

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
