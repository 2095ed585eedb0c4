package main

import (
	"fmt"
	"io"

	"sparkd"
	"sparkd/api/client"
)

// conclude writes the lines and shows what was grown.
func (c *cli) conclude(cl *client.Client, o *runOptions, r sparkd.Rollout) error {
	if o.export.out == "" {
		o.export.out = r.ID + ".jsonl"
	}
	exported, err := c.exportTo(cl, o.export, client.ExportOptions{Rollout: r.ID})
	if err != nil {
		return err
	}
	if err := exported.Manifest.Refused(); err != nil {
		c.printError(err) // the trees are stored, and can be exported in another way
	}
	trees, err := c.firstTrees(cl, r.Trees)
	if err != nil {
		return err
	}
	result := runResult{r, o.export.out, heads(trees), votes(r.Spec.Policy.Name, trees...)}
	if c.json {
		err = c.report(result, o.export.out)
	} else {
		err = c.show(result, func(w io.Writer) { c.present(w, o, &result, trees) })
	}
	if err == nil && r.State != sparkd.RolloutDone {
		return exit{exitFailure, rolloutError(&r)}
	}
	return err
}

// runResult is what `sparkd run --json` prints.
type runResult struct {
	Rollout sparkd.Rollout `json:"rollout"`
	File    string         `json:"file"`
	Trees   []sparkd.Tree  `json:"trees"` // without nodes
	Votes   []vote         `json:"votes"` // policy best-of
}

func heads(trees []*sparkd.Tree) []sparkd.Tree {
	out := make([]sparkd.Tree, len(trees))
	for i, t := range trees {
		out[i] = *t
		out[i].Nodes = []*sparkd.Node{}
	}
	return out
}

func (c *cli) present(w io.Writer, o *runOptions, shown *runResult, trees []*sparkd.Tree) {
	r := &shown.Rollout
	if t := mostForked(trees); t != nil {
		d, err := c.drawing(t, o.export.options.Advantage)
		if err != nil {
			d, _ = c.drawing(t, "none") // the estimator is not defined on this tree
		}
		fmt.Fprintln(w)
		d.draw(w, t)
		fmt.Fprintln(w)
	}
	c.summary(w, trees)
	if len(trees) < len(r.Trees) {
		fmt.Fprintf(w, "and %s\n", count(len(r.Trees)-len(trees), "more tree"))
	}
	showVotes(w, shown.Votes)
	to := shown.File
	if to == "-" {
		to = "stdout"
	}
	if n := outgrown(trees); n > 0 && r.Spec.Context.Mode != sparkd.ContextWindow {
		fmt.Fprintf(w, "%s ended because the model's context was full: "+
			"--context window shows it the last steps only\n", count(n, "trajectory"))
	}
	fmt.Fprintf(w, "\n%d of %s reached the goal · rollout %s · %s\n",
		r.Stats.Successes, count(r.Stats.Leaves, "trajectory"), r.ID, to)
}

// outgrown counts the trajectories that the model's context ended.
func outgrown(trees []*sparkd.Tree) (n int) {
	for _, t := range trees {
		for _, id := range t.Leaves() {
			if t.Nodes[id].Outcome == sparkd.OutcomeContext {
				n++
			}
		}
	}
	return n
}

func rolloutError(r *sparkd.Rollout) error {
	if r.Error != nil {
		return r.Error
	}
	return sparkd.Errorf(sparkd.CodeCanceled, "rollout %s ended %s", r.ID, r.State)
}

// summaries are the columns of a run's table.
var summaries = []column{{"task", 0}, {"leaves", 2}, {"forks", 3}, {"steps", 4}, {"success", 1}, {"generated", 5},
	{"computed", 7}, {"reused", 8}, {"reuse", 6}}

// summary writes a table with one row per tree and the sum of them.
func (c *cli) summary(w io.Writer, trees []*sparkd.Tree) {
	var rows [][]string
	var sum sparkd.Stats
	for _, t := range trees {
		rows = append(rows, summaryRow(t.Task.String(), t.Stats, t.State))
		sum.Add(t.Stats)
	}
	if len(trees) > 1 {
		rows = append(rows, summaryRow("all", sum, sparkd.TreeDone))
	}
	c.table(w, summaries, rows)
}

func summaryRow(name string, s sparkd.Stats, state sparkd.TreeState) []string {
	if state != sparkd.TreeDone {
		name += " (" + string(state) + ")"
	}
	return []string{name, thousands(s.Leaves), thousands(s.Forks), thousands(s.Nodes),
		fmt.Sprintf("%d/%d", s.Successes, s.Leaves), thousands(s.GeneratedTokens), thousands(s.ComputedTokens),
		thousands(s.CachedTokens), percent(s.CachedTokens, s.PromptTokens)}
}

// mostForked is the tree that says most about branching; nil where there is none.
func mostForked(trees []*sparkd.Tree) *sparkd.Tree {
	var best *sparkd.Tree
	for _, t := range trees {
		if best == nil || t.Stats.Forks > best.Stats.Forks {
			best = t
		}
	}
	return best
}
