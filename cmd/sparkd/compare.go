package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sparkd"
	"sparkd/api/client"
	"sparkd/branching"
	"sparkd/branching/measure"
	"sparkd/cmd/sparkd/report"
)

// compareOptions are the flags of `sparkd compare` beside the request's.
type compareOptions struct {
	*connection
	policies, contexts string
	out                string
	id                 string // that of the rollouts begins with it
	given              func(flag string) string
}

func (c *cli) compareCommand(cmd *cobra.Command) run {
	f := cmd.Flags()
	o := &compareOptions{connection: c.addGrowing(f)}
	o.given = func(flag string) string { return f.Lookup(flag).Value.String() }
	spec := c.addSpec(f)
	f.StringVar(&o.policies, "policies", "spark,linear",
		"`list` of policies, the first is what others are compared with; "+
			"parameters behind colons: random:probability=0.3:branch=3")
	f.StringVar(&o.contexts, "contexts", sparkd.ContextAppend,
		"`list` of contexts: append, window; every policy is run with each")
	f.StringVar(&o.out, "out", "", "`file` for the report, HTML with its pictures inside")
	return func([]string) error {
		base, err := spec()
		if err != nil {
			return err
		}
		if base.ID == "" {
			base.ID = sparkd.NewID(time.Now()) // so that a comparison that is interrupted can go on
		}
		o.id = base.ID
		base.Budget.Leaves = cmp.Or(base.Budget.Leaves, branching.DefaultSpec().Budget.Leaves) // one N for all
		variants, err := o.variants(base)
		if err != nil {
			return err
		}
		return c.compare(o, variants)
	}
}

// variant is one of the rollouts that are compared.
type variant struct {
	label string
	spec  sparkd.Spec
}

// variants returns a request for every policy and context: the same tasks, seed, sampling and budget. Their ids
// begin with that of the base, so that a comparison that was interrupted goes on under the same id.
func (o *compareOptions) variants(base sparkd.Spec) ([]variant, error) {
	texts := strings.Split(o.policies, ",")
	policies, err := parsePolicies(texts, base.Policy)
	if err != nil {
		return nil, err
	}
	var out []variant
	for i, text := range texts {
		for mode := range strings.SplitSeq(o.contexts, ",") {
			s := base
			s.Policy, s.Context.Mode = policies[i], mode
			label := text
			if strings.Contains(o.contexts, ",") {
				label += "/" + mode
			}
			s.ID = base.ID + "-" + strings.NewReplacer("/", "-", "=", "-").Replace(label)
			if s, err = branching.Resolve(s); err != nil {
				return nil, fmt.Errorf("%s: %w", label, err)
			}
			for _, v := range out {
				if v.spec.Context.Mode == mode && branching.Same(v.spec.Policy, s.Policy) {
					return nil, sparkd.Invalid("policies", "name each once", "%s is listed twice: as %s and as %s",
						s.Policy.Name, v.label, label)
				}
			}
			out = append(out, variant{label, s})
		}
	}
	return out, nil
}

// parsePolicies reads policies that keep the parameters of base that they take. One that none takes is refused.
func parsePolicies(texts []string, base sparkd.Policy) ([]sparkd.Policy, error) {
	var out []sparkd.Policy
	refused := map[string]int{}
	for _, text := range texts {
		p, err := parsePolicy(text, base)
		if err != nil {
			return nil, err
		}
		untaken, err := branching.Restrict(&p)
		if err != nil {
			return nil, err
		}
		for _, name := range untaken {
			if refused[name]++; refused[name] == len(texts) {
				return nil, branching.Takes(p.Name, name)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// compare runs the variants and shows what came of them.
func (c *cli) compare(o *compareOptions, variants []variant) error {
	if ending := strings.ToLower(filepath.Ext(o.out)); !slices.Contains([]string{"", ".html", ".htm"}, ending) {
		return sparkd.Invalid("out", "name a .html; figures as JSON: --json", "%s: the report is HTML", o.out)
	}
	if err := checkOutput(o.out); err != nil {
		return err
	}
	var ids []string
	for i := range variants {
		ids = append(ids, variants[i].spec.ID)
	}
	var out *report.Comparison
	err := c.grow(o.connection, false, ids, func(cl *client.Client) (err error) {
		out, err = c.runVariants(cl, variants)
		kept := c.keeps(o.connection, "what was asked for", "ROLLOUT")
		if o.given("spec") == "-" {
			kept += ", with the same request on stdin"
		}
		return c.interrupted(err, kept, c.again([]string{"--id", o.id}))
	})
	if err != nil {
		return err
	}
	out.Command = c.again([]string{"--id", o.id})
	out.Judge()
	if o.out != "" {
		if err := c.output(o.out, func(w io.Writer) error { return report.HTML(w, out) }); err != nil {
			return err
		}
	}
	return c.show(out, func(w io.Writer) { c.presentComparison(w, o, out) })
}

// runVariants runs the variants one after the other, so that none takes another's time.
func (c *cli) runVariants(cl *client.Client, variants []variant) (*report.Comparison, error) {
	info, err := cl.Info(c.ctx)
	if err != nil {
		return nil, err
	}
	out := &report.Comparison{Made: time.Now().Truncate(time.Second), Version: info.Version, Commit: info.Commit,
		Model: info.Engine.Model, PolicyVersion: info.Engine.PolicyVersion, Engine: info.Engine.Name,
		Base: variants[0].spec}
	var first []measure.Figures
	for i, v := range variants {
		c.note("%s (%d of %d)", v.label, i+1, len(variants))
		row, figures, err := c.variant(cl, v)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = figures
		} else {
			row.Difference = difference(first, figures)
		}
		out.Rows = append(out.Rows, row)
	}
	return out, nil
}

// variant grows one variant's trees and measures them.
func (c *cli) variant(cl *client.Client, v variant) (report.Row, []measure.Figures, error) {
	r, err := c.request(cl, "", v.spec)
	if err == nil {
		r, err = c.follow(cl, r)
	}
	if err != nil {
		return report.Row{}, nil, err
	}
	if r.State != sparkd.RolloutDone {
		return report.Row{}, nil, fmt.Errorf("%s: %w", v.label, rolloutError(&r))
	}
	var figures []measure.Figures
	votes := 0
	for t, err := range c.trees(cl, r.Trees) {
		if err != nil {
			return report.Row{}, nil, err
		}
		if t.State != sparkd.TreeDone {
			continue // counted in Failed
		}
		figures = append(figures, measure.Tree(t))
		if vote, err := branching.Vote(t); err == nil && t.Nodes[vote.Leaf].Outcome == sparkd.OutcomeSuccess {
			votes++
		}
	}
	s := measure.Summarize(figures, v.spec.Budget.Leaves)
	return report.Row{
		Label: v.label, Rollout: r.ID, Policy: v.spec.Policy, Context: v.spec.Context.Mode, Summary: s,
		Failed: r.Failed, Vote: float64(votes) / float64(max(1, len(figures))),
		Seconds: r.Finished.Sub(r.Started).Seconds(),
	}, figures, nil
}

// difference compares the tasks that both grew a tree for.
func difference(first, other []measure.Figures) *measure.Estimate {
	byTask := map[string]measure.Figures{}
	for _, f := range other {
		byTask[f.Task] = f
	}
	var a, b []measure.Figures
	for _, f := range first {
		if g, ok := byTask[f.Task]; ok {
			a, b = append(a, f), append(b, g)
		}
	}
	d := measure.PassAt1.Difference(a, b)
	return &d
}

// comparison are the columns of the table.
var comparison = []column{{"", 0}, {"pass@1", 1}, {"pass@N", 4}, {"vote", 8}, {"mixed", 7}, {"leaves", 2},
	{"generated", 3}, {"shared", 10}, {"replayed", 13}, {"prompt", 11}, {"computed", 12}, {"saved tokens", 6},
	{"saved steps", 9}, {"by formula", 14}, {"time", 5}}

// presentComparison writes the table and what is to know about it.
func (c *cli) presentComparison(w io.Writer, o *compareOptions, out *report.Comparison) {
	var rows [][]string
	for i := range out.Rows {
		rows = append(rows, comparisonRow(&out.Rows[i]))
	}
	fmt.Fprintln(w)
	c.table(w, comparison, rows)
	fmt.Fprintf(w, "\n%s, up to N = %d leaves each · values in %%, with 95 %% intervals over tasks · "+
		"generated tokens, replayed environment steps\n"+
		"saved against N chains of the same length, leaves that were not used counted as saved, "+
		"in tokens, in steps, and in steps by the cost model\n"+
		"prompt: what a perfect cache, empty at first, computes; computed: what was, "+
		"with what earlier rows had left in the cache, as is the time\n",
		count(out.Rows[0].Summary.Tasks, "task"), out.Base.Budget.Leaves)
	for _, r := range out.Rows {
		if d := r.Difference; d != nil && r.Summary.Tasks > 1 {
			fmt.Fprintf(w, "%s − %s: pass@1 %+.1f [%+.1f, %+.1f]\n",
				r.Label, out.Rows[0].Label, 100*d.Value, 100*d.Low, 100*d.High)
		}
		if r.Failed > 0 {
			fmt.Fprintf(w, "%s: %s failed and counts in nothing above\n", r.Label, count(r.Failed, "tree"))
		}
	}
	for _, warning := range out.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if o.out != "" {
		fmt.Fprintln(w, o.out)
	}
}

func comparisonRow(r *report.Row) []string {
	s := r.Summary
	return []string{
		r.Label, interval(s.PassAt1, s.Tasks), interval(s.PassAtN, s.Tasks), hundredths(r.Vote),
		interval(s.Mixed, s.Tasks), thousands(s.Trajectories), thousands(s.Generated), hundredths(s.SharedShare.Value),
		thousands(s.ReplaySteps), thousands(s.Unique), thousands(s.Computed), hundredths(s.SavedTokens.Value),
		hundredths(s.Saved.Value), hundredths(s.SavedByFormula), strconv.FormatFloat(r.Seconds, 'f', 1, 64) + " s",
	}
}

// interval writes an estimate; a single task says nothing of how tasks differ.
func interval(e measure.Estimate, tasks int) string {
	if tasks < 2 {
		return hundredths(e.Value)
	}
	return fmt.Sprintf("%.1f [%.1f, %.1f]", 100*e.Value, 100*e.Low, 100*e.High)
}

func hundredths(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) }
