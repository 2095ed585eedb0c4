package export

import (
	"fmt"
	"slices"

	"sparkd"
	"sparkd/branching/advantage"
)

// This file reads trees the plain way, field by field, for comparison with the encoders.

func plainTree(t *sparkd.Tree, c advantage.Credit, o Options) TreeLine {
	line := TreeLine{Tree: t.ID, Rollout: t.Rollout, Task: t.Task.String(), UID: t.Rollout + "/" + t.Task.String(), Goal: t.Goal,
		Seed: t.Seed, State: t.State, Error: code(t.Error), Estimator: o.Advantage, Dedupe: o.Dedupe, Nodes: []NodeLine{}, Leaves: []LeafLine{}}
	for _, n := range t.Nodes {
		line.Nodes = append(line.Nodes, plainNode(n, c, o))
	}
	for _, id := range t.Leaves() {
		if t.Nodes[id].Outcome == "" {
			continue
		}
		l := LeafLine{Leaf: id, TrajUID: uid(t, id), Outcome: t.Nodes[id].Outcome, EpisodeReward: t.Return(id), EpisodeLength: t.Nodes[id].Depth}
		for _, n := range t.Path(id) {
			l.Path = append(l.Path, n.ID)
		}
		for _, r := range c.Copies {
			if r.Leaf == id && o.Dedupe == "copies" {
				l.Advantages = append(l.Advantages, r.Advantage)
			}
		}
		line.Leaves = append(line.Leaves, l)
	}
	return line
}

func plainNode(n *sparkd.Node, c advantage.Credit, o Options) NodeLine {
	l := NodeLine{ID: n.ID, Parent: n.Parent, Depth: n.Depth, Round: n.Round, Reason: n.Decision.Reason, Of: n.Decision.Of, SharedTokens: n.Decision.SharedTokens, Tokens: []sparkd.Token{}, Mask: []int{},
		Action: n.Action, Valid: n.Valid, Admissible: n.Admissible, Done: n.Done, Outcome: n.Outcome, Tag: mode(n.Signals.Tags), Tags: orEmpty(n.Signals.Tags),
		Error: code(n.Error), ObsHash: n.ObsHash, Finish: string(n.Finish), PolicyVersion: n.PolicyVersion, PromptTokens: n.PromptTokens, CachedTokens: n.CachedTokens, TokenExact: true}
	for _, s := range n.Spans {
		l.Tokens = append(l.Tokens, s.Tokens...)
		for range s.Tokens {
			l.Mask = append(l.Mask, map[bool]int{true: 1}[s.Source == sparkd.SourceModel])
		}
		if s.Source == sparkd.SourceModel && !s.TokenExact {
			l.TokenExact = false
		}
	}
	if o.Text {
		l.Text, l.Observation = texts(n)
	}
	l.Logprobs = plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.Logprobs })
	l.SampledLogprobs = plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.SampledLogprobs })
	if o.Entropies {
		l.Entropies = plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.Entropies })
	}
	if !n.Failed() {
		l.Reward = &n.Reward
	}
	for _, r := range c.Unique {
		if r.Node == n.ID {
			l.Advantage, l.Weight, l.Copies = &r.Advantage, r.Weight, r.Copies
			if o.Dedupe == "tree" {
				l.Weight = 1
			}
		}
	}
	return l
}

func plainValues(spans []sparkd.Span, of func(sparkd.Span) []float32) []float32 {
	known := false
	values := []float32{}
	for _, s := range spans {
		v := of(s)
		known = known || v != nil
		if v == nil {
			v = make([]float32, len(s.Tokens))
		}
		values = append(values, v...)
	}
	if !known {
		return nil
	}
	return values
}

// plainRows sorts unique rows by trajectory and step, as the format promises.
func plainRows(t *sparkd.Tree, c advantage.Credit, o Options) []RowLine {
	rows := slices.Clone(c.Copies)
	if o.Dedupe != "copies" {
		rows = nil
		for _, copied := range c.Copies {
			for _, r := range c.Unique {
				if r.Node == copied.Node && r.Leaf == copied.Leaf {
					if o.Dedupe == "tree" {
						r.Weight = 1
					}
					rows = append(rows, r)
				}
			}
		}
	}
	var lines []RowLine
	for _, r := range rows {
		lines = append(lines, plainRow(t, r, o))
	}
	return lines
}

func plainRow(t *sparkd.Tree, r advantage.Row, o Options) RowLine {
	n := t.Nodes[r.Node]
	l := RowLine{Rollout: t.Rollout, Tree: t.ID, Task: t.Task.String(), UID: t.Rollout + "/" + t.Task.String(), TrajUID: uid(t, r.Leaf), NodeUID: uid(t, n.ID),
		Copies: r.Copies, EpisodeReward: r.Return, EpisodeLength: r.Length, Won: r.Won, Score: r.Score, Advantage: r.Advantage, Weight: r.Weight,
		Step: n.Depth, Reward: n.Reward, Action: n.Action, Valid: n.Valid, Admissible: n.Admissible, Done: n.Done, Outcome: n.Outcome,
		Tag: mode(n.Signals.Tags), Tags: orEmpty(n.Signals.Tags), AnchorObs: t.Nodes[n.Parent].ObsHash, Finish: string(n.Finish), PolicyVersion: n.PolicyVersion,
		TokenExact: true, ResponseIDs: []sparkd.Token{}, ResponseMask: []int{}}
	prompt := t.Tokens(n.Parent)
	for _, s := range n.Spans {
		if s.Source == sparkd.SourceModel {
			l.ResponseIDs = append(l.ResponseIDs, s.Tokens...)
			for range s.Tokens {
				l.ResponseMask = append(l.ResponseMask, 1)
			}
			l.Logprobs, l.SampledLogprobs = s.Logprobs, s.SampledLogprobs
			if o.Entropies {
				l.Entropies = s.Entropies
			}
			break
		}
		prompt = append(prompt, s.Tokens...)
	}
	l.PromptIDs = append([]sparkd.Token{}, prompt...)
	for _, p := range t.Path(n.ID)[1:] {
		l.TokenExact = l.TokenExact && p.Model().TokenExact
	}
	if o.Text {
		l.Text, l.Observation = texts(n)
	}
	return l
}

func texts(n *sparkd.Node) (output, observation *string) {
	output, observation = new(string), new(string)
	for _, s := range n.Spans {
		if s.Source == sparkd.SourceModel {
			*output += s.Text
		} else {
			*observation += s.Text
		}
	}
	return output, observation
}

func uid(t *sparkd.Tree, id int) string { return fmt.Sprintf("%s:%d", t.ID, id) }

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
