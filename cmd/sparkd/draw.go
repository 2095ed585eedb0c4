package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"sparkd"
)

// drawing says how a tree is drawn.
type drawing struct {
	width int  // cells of a row; 0: as long as they are
	color bool // ANSI colours
	all   bool // every step, instead of the ends of long chains
	// advantage is one value per node; nil leaves the column out.
	advantage []float64
}

// shown is how many steps a chain may have before its middle is left out.
const shown = 5

// draw writes the tree: a chain of steps that nobody forked stands in one column, and
// a fork opens one column per branch.
func (d drawing) draw(w io.Writer, t *sparkd.Tree) {
	a := artist{drawing: d, tree: t, children: t.Children(), out: w}
	a.header()
	if len(t.Nodes) > 0 {
		tokens := 0
		for _, s := range t.Nodes[0].Spans {
			tokens += len(s.Tokens)
		}
		a.add(piece{style: bold, text: "●"}, piece{text: " opening context"},
			piece{style: dim, text: " · " + count(tokens, "token")})
		a.branches(0, "")
	}
}

// artist draws one tree.
type artist struct {
	drawing
	tree     *sparkd.Tree
	children [][]int
	out      io.Writer
}

func (a *artist) add(pieces ...piece) { fmt.Fprintln(a.out, line(pieces).render(a.width, a.color)) }

func (a *artist) header() {
	t, s := a.tree, a.tree.Stats
	a.add(piece{style: bold, text: t.Task.String()}, piece{text: " " + clean(t.Goal), soft: true})
	a.add(piece{style: dim, text: fmt.Sprintf("tree %s · %s · %s, %s, %s · ", t.ID, t.State,
		count(s.Leaves, "leaf"), count(s.Forks, "fork"), count(s.Nodes, "step"))},
		piece{text: fmt.Sprintf("%d of %d reached the goal", s.Successes, s.Leaves)})
	if t.Error != nil {
		a.add(piece{style: red, text: "✘ " + clean(t.Error.Error())})
	}
}

// branches draws the children of a node, each with the frame that leads to it.
func (a *artist) branches(id int, frame string) {
	kids := a.children[id]
	for i, kid := range kids {
		if i < len(kids)-1 {
			a.chain(kid, frame+"├─ ", frame+"│  ")
		} else {
			a.chain(kid, frame+"╰─ ", frame+"   ")
		}
	}
}

// chain draws the steps from a node down to the next fork or leaf, and what follows.
func (a *artist) chain(first int, head, frame string) {
	steps := []int{first}
	for last := first; len(a.children[last]) == 1; {
		last = a.children[last][0]
		steps = append(steps, last)
	}
	last := steps[len(steps)-1]
	for i := 0; i < len(steps); i++ {
		if n := a.elided(steps, i); n > 1 {
			a.elision(steps[i:i+n], frame)
			i += n - 1
			continue
		}
		a.step(steps[i], head)
		head = frame
	}
	if len(a.children[last]) == 0 {
		a.leaf(last, frame)
	}
	a.branches(last, frame)
}

// elided returns how many steps from the i-th on are left out: the inside of a long
// chain, as far as no step there earned a reward.
func (a *artist) elided(steps []int, i int) int {
	if a.all || len(steps) <= shown || i == 0 {
		return 0
	}
	n := 0
	for i+n < len(steps)-1 && a.tree.Nodes[steps[i+n]].Reward == 0 {
		n++
	}
	return n
}

func (a *artist) elision(steps []int, frame string) {
	tags := 0
	for _, id := range steps {
		tags += len(a.tree.Nodes[id].Signals.Tags)
	}
	text := "⋮ " + count(len(steps), "step")
	if tags > 0 {
		text += ", " + count(tags, "tag")
	}
	a.add(piece{style: dim, text: frame + text})
}

// step draws one node: its action, its tags, what it earned and the fork below it.
func (a *artist) step(id int, head string) {
	n := a.tree.Nodes[id]
	l := line{{style: dim, text: head}, {style: dim, text: fmt.Sprintf("%d ", id)}}
	switch {
	case n.Failed():
		l = append(l, piece{style: red, text: "broken branch"})
	case n.Action == "":
		l = append(l, piece{style: dim, text: "no action" + excerpt(n), soft: true})
	default:
		l = append(l, piece{text: clean(n.Action), soft: true})
	}
	for _, tag := range n.Signals.Tags {
		l = append(l, piece{style: yellow, text: " ‹" + clean(tag) + "›"})
	}
	if !n.Failed() && !n.Valid {
		l = append(l, piece{style: dim, text: " · bad format"})
	} else if !n.Failed() && !n.Admissible {
		l = append(l, piece{style: dim, text: " · not admissible"})
	}
	if n.Reward != 0 {
		l = append(l, signed(" r", n.Reward))
	}
	if a.advantage != nil && id < len(a.advantage) {
		l = append(l, signed(" A", a.advantage[id]))
	}
	a.add(append(l, a.fork(id)...)...)
}

// excerpt is the beginning of what the model wrote where no action could be read.
func excerpt(n *sparkd.Node) string {
	span := n.Model()
	if span == nil || clean(span.Text) == "" {
		return ""
	}
	const longest = 60
	return ": “" + letters.Truncate(clean(span.Text), longest, "…") + "”"
}

// fork says why the children of a node are more than one.
func (a *artist) fork(id int) line {
	kids := a.children[id]
	if len(kids) < 2 {
		return nil
	}
	reason := a.tree.Nodes[kids[0]].Decision.Reason
	return line{{style: magenta, text: fmt.Sprintf("  ⑂ %d %s", len(kids), clean(reason))}}
}

// leaf draws how a trajectory ended.
func (a *artist) leaf(id int, frame string) {
	n := a.tree.Nodes[id]
	l := line{{style: dim, text: frame}}
	switch n.Outcome {
	case sparkd.OutcomeSuccess:
		l = append(l, piece{style: green, text: "✔ success"})
	case sparkd.OutcomeFailed:
		text := "✘ failed, no reward"
		if n.Error != nil {
			text += ": " + clean(n.Error.Error())
		}
		a.add(append(l, piece{style: red, text: text})...)
		return
	case sparkd.OutcomeNone:
		l = append(l, piece{style: yellow, text: "… growing"})
	default:
		l = append(l, piece{style: red, text: "✘ " + strings.ReplaceAll(string(n.Outcome), "_", " ")})
	}
	end := fmt.Sprintf(" · %s · return %s", count(n.Depth, "step"), number(a.tree.Return(id)))
	a.add(append(l, piece{style: dim, text: end})...)
}

func signed(label string, v float64) piece {
	s := green
	if v < 0 {
		s = red
	} else if v == 0 {
		s = dim
	}
	return piece{style: s, text: fmt.Sprintf("%s %+.2f", label, v)}
}

// number writes a reward without needless digits.
func number(v float64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
}

// irregular are the plurals that rules do not make.
var irregular = map[string]string{"leaf": "leaves", "branch": "branches", "broken branch": "broken branches"}

// count writes "1 fork" or "1,204 forks".
func count(n int, noun string) string { return english.Plural(n, noun, irregular[noun]) }

// thousands writes 12345 as 12,345.
func thousands(n int) string { return humanize.Comma(int64(n)) }
