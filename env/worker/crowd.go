package worker

import "fmt"

// crowded is how many repeated steps are worth a word in the log, and then ten times as many again.
const crowded = 100

// rebuilt counts a state that was rebuilt by so many steps, and says what to do where there are many.
func (p *pool) rebuilt(steps int, same bool) {
	p.mu.Lock()
	p.stats.Rebuilt++
	p.stats.ReplayedSteps += steps
	if !same {
		p.stats.Diverged++
	}
	now, words := p.stats, ""
	if now.ReplayedSteps >= p.crowd {
		p.crowd = 10 * now.ReplayedSteps
		words = fmt.Sprintf("there are more copies than sessions: %d lost theirs to others, %d steps were repeated "+
			"to go on; raise %s (%d) or the sessions that the program says in hello (%d; an attribute of the Python "+
			"class), until their product is the leaves that live at once", now.Evicted, now.ReplayedSteps,
			p.o.field("workers"), p.o.Workers, p.hello.Sessions)
	}
	p.mu.Unlock()
	if words != "" {
		p.o.Log(words)
	}
}
