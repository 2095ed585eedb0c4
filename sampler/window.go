package sampler

import (
	"context"
	"slices"

	"sparkd"
	"sparkd/prefixcache"
)

// window renders a prompt of its own for every step, with the last size steps in it, as
// SPARK does. Prompts of one tree share little more than their beginning.
type window struct {
	size int
	seen prefixcache.Index[struct{}] // what an ideal prefix cache, empty at first, holds of the tree
}

// Quoted is a step behind: what the agent saw, and what it did then.
type Quoted struct{ Observation, Action string }

// steps returns the steps on the path that ends at its last node.
func steps(path []*sparkd.Node) (past []Quoted) {
	for i, n := range path[1:] {
		past = append(past, Quoted{observed(path[i]), n.Action})
	}
	return past
}

func observed(n *sparkd.Node) string {
	if i := slices.IndexFunc(n.Spans, func(s sparkd.Span) bool { return s.Source == sparkd.SourceEnv }); i >= 0 {
		return n.Spans[i].Text
	}
	return ""
}

// quote gives child i the prompt of its own children.
func (x *expansion) quote(ctx context.Context, i int, o *sparkd.Observation) error {
	g, c := x.g, &x.children[i]
	past := steps(append(g.tree.Path(x.Node), c.node))
	prompt, fits, err := g.prompt(ctx, g.Prompt.Window(g.tree.Goal, past, g.window.size, o))
	if err != nil {
		return err
	}
	if !fits {
		c.node.Outcome = sparkd.OutcomeContext
		return nil
	}
	c.node.Spans = append(c.node.Spans, prompt)
	c.leaf.tokens = prompt.Tokens
	return nil
}

// unique returns how many tokens of an expansion's prompt an ideal prefix cache would
// have to run, and holds what was run and drawn.
func (w *window) unique(x *expansion) int {
	prompt := x.parent.tokens
	before := w.hold(prompt)
	for i := range x.children {
		w.draw(prompt, x.children[i].node)
	}
	return len(prompt) - before
}

// hold adds a sequence and returns how much of it was there.
func (w *window) hold(tokens []sparkd.Token) int {
	return w.seen.Insert(tokens, make([]struct{}, len(tokens)))
}

// draw holds what a child drew after a prompt: all tokens but the last were run.
func (w *window) draw(prompt []sparkd.Token, child *sparkd.Node) {
	if m := child.Model(); m != nil && len(m.Tokens) > 0 {
		w.hold(append(prompt[:len(prompt):len(prompt)], m.Tokens[:len(m.Tokens)-1]...))
	}
}

// recall holds what a stored tree has run.
func (w *window) recall(t *sparkd.Tree) {
	for _, n := range t.Nodes {
		if n.Parent >= 0 && !n.Failed() {
			prompt := t.Tokens(n.Parent)
			w.hold(prompt)
			w.draw(prompt, n)
		}
	}
}
