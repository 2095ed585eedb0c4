package export

import (
	"fmt"
	"maps"

	"sparkd"
	"sparkd/branching/advantage"
)

// Manifest says how an export was made, what is in it and what is not.
type Manifest struct {
	Recipe
	Groups         int            `json:"groups"`          // tasks, each with all its trees in a rollout
	Trees          int            `json:"trees"`           // with a trajectory in the export
	Trajectories   int            `json:"trajectories"`    // that ended and were kept
	Steps          int            `json:"steps"`           // of them, each counted once
	Lines          int            `json:"lines"`           // written
	Idle           int            `json:"idle"`            // sequences without a line: others train all of their steps
	Tokens         int            `json:"tokens"`          // in all lines
	TrainedTokens  int            `json:"trained_tokens"`  // of them, with a loss
	Weight         float64        `json:"weight"`          // sum of the trained tokens' weights
	Inexact        int            `json:"inexact"`         // steps whose ids were made from text: the engine gave none
	PolicyVersions map[string]int `json:"policy_versions"` // steps by the weights that sampled them
	Labels         map[string]int `json:"labels"`          // lines of trl-kto by their label
	LeftOut        []LeftOut      `json:"left_out"`        // what has no line, and why
	Bytes          int64          `json:"bytes"`           // of the lines
	SHA256         string         `json:"sha256"`          // of the lines; "" where it was not wanted
}

// Recipe is how an export was made: the options that say what its lines are.
type Recipe struct {
	Format    string            `json:"format"`    // of the lines
	Dedupe    string            `json:"dedupe"`    // what became of shared steps
	Advantage string            `json:"advantage"` // the estimator
	Estimator advantage.Options `json:"estimator"` // its options
	Pairs     Pairs             `json:"pairs"`     // of format trl-dpo
	Filter    string            `json:"filter"`    // what was kept; "" for all
	Rescored  bool              `json:"rescored"`  // a command gave the rewards
	Entropies bool              `json:"entropies"` // option
	Text      bool              `json:"text"`      // option
}

// LeftOut counts what an export leaves out for one reason.
type LeftOut struct {
	What   string `json:"what"`             // group, tree, trajectory, branch, sequence, step, fork or pair
	Reason string `json:"reason"`           // why
	Remedy string `json:"remedy,omitempty"` // what would keep it in
	Count  int    `json:"count"`            // so many
	Tree   string `json:"tree"`             // that of the first
}

// mostReasons bounds a manifest; what is left out for yet other reasons is counted as one.
const mostReasons = 64

// omit counts something as left out.
func (m *Manifest) omit(what, reason, remedy, tree string) {
	m.addLeftOut(LeftOut{what, reason, remedy, 1, tree})
}

func (m *Manifest) addLeftOut(l LeftOut) {
	if len(m.LeftOut) >= mostReasons {
		l.Reason, l.Remedy = "other reasons", ""
	}
	for i := range m.LeftOut {
		if k := &m.LeftOut[i]; k.What == l.What && k.Reason == l.Reason {
			k.Count += l.Count
			return
		}
	}
	m.LeftOut = append(m.LeftOut, l)
}

// Add adds the counts of an export with the same options that goes on behind m. SHA256
// is left to whoever has all lines.
func (m *Manifest) Add(o *Manifest) {
	if m.Format == "" {
		m.Recipe = o.Recipe
	}
	m.Groups += o.Groups
	m.Trees += o.Trees
	m.Trajectories += o.Trajectories
	m.Steps += o.Steps
	m.Lines += o.Lines
	m.Idle += o.Idle
	m.Tokens += o.Tokens
	m.TrainedTokens += o.TrainedTokens
	m.Weight += o.Weight
	m.Inexact += o.Inexact
	m.Bytes += o.Bytes
	m.make()
	for version, n := range o.PolicyVersions {
		m.sampled(version, n)
	}
	for label, n := range o.Labels {
		m.labelled(label, n)
	}
	for _, l := range o.LeftOut {
		m.addLeftOut(l)
	}
}

// make makes the lists and tables, which are written where they are empty, too.
func (m *Manifest) make() {
	if m.PolicyVersions == nil {
		m.PolicyVersions = map[string]int{}
	}
	if m.Labels == nil {
		m.Labels = map[string]int{}
	}
	if m.LeftOut == nil {
		m.LeftOut = []LeftOut{}
	}
}

// labelled counts lines of a label.
func (m *Manifest) labelled(label string, n int) {
	m.make()
	m.Labels[label] += n
}

// sampled counts steps of a policy version; those behind the first hundred count as one.
func (m *Manifest) sampled(version string, n int) {
	const most = 100
	m.make()
	if _, known := m.PolicyVersions[version]; !known && len(m.PolicyVersions) >= most {
		version = "other"
	}
	m.PolicyVersions[version] += n
}

// clone returns a copy that shares nothing that changes.
func (m *Manifest) clone() Manifest {
	c := *m
	c.PolicyVersions, c.Labels = maps.Clone(m.PolicyVersions), maps.Clone(m.Labels)
	c.LeftOut = append([]LeftOut{}, m.LeftOut...)
	return c
}

// Refused says why an export has no lines although there were trees that could have some: with other options, or
// from another engine. It is nil where there are lines, and where nothing was asked for that is not there.
func (m *Manifest) Refused() error {
	var most LeftOut
	for _, l := range m.LeftOut {
		if l.Remedy != "" && l.Count > most.Count {
			most = l
		}
	}
	if m.Lines > 0 || most.Count == 0 {
		return nil
	}
	return sparkd.Invalid("format", most.Remedy, "nothing was exported: %s (%d times left out: %s, first in tree %s)",
		most.Reason, most.Count, most.What, most.Tree)
}

// String is the manifest in a line, for people.
func (m *Manifest) String() string {
	return fmt.Sprintf("%s: lines %d, trees %d, trajectories %d, trained tokens %d",
		m.Format, m.Lines, m.Trees, m.Trajectories, m.TrainedTokens)
}
