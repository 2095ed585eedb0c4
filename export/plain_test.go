package export

import (
	"fmt"
	"slices"

	"sparkd"
	"sparkd/branching/advantage"
)

// This file reads trees the plain way, field by field, for comparison with the formats.

// jsonObject is a JSON object.
type jsonObject map[string]any

func plainTree(t *sparkd.Tree, c advantage.Credit, o Options) jsonObject {
	nodes, leaves := []jsonObject{}, []jsonObject{}
	for _, n := range t.Nodes {
		nodes = append(nodes, plainNode(n, c, o))
	}
	for _, id := range t.Leaves() {
		if t.Nodes[id].Outcome != "" {
			leaves = append(leaves, plainLeaf(t, id, c, o))
		}
	}
	return jsonObject{
		"tree": t.ID, "rollout": t.Rollout, "task": t.Task.String(), "uid": t.Rollout + "/" + t.Task.String(),
		"goal": t.Goal, "seed": t.Seed, "state": t.State, "error": code(t.Error),
		"estimator": o.Advantage, "dedupe": o.Dedupe, "nodes": nodes, "leaves": leaves,
	}
}

func plainLeaf(t *sparkd.Tree, id int, c advantage.Credit, o Options) jsonObject {
	path, advantages := []int{}, []float64{}
	for _, n := range t.Path(id) {
		path = append(path, n.ID)
	}
	for _, r := range c.Copies {
		if r.Leaf == id {
			advantages = append(advantages, r.Advantage)
		}
	}
	leaf := jsonObject{"leaf": id, "traj_uid": plainUID(t, id), "path": path, "outcome": t.Nodes[id].Outcome,
		"episode_reward": t.Return(id), "episode_length": t.Nodes[id].Depth}
	if o.Dedupe == "copies" {
		leaf["advantages"] = advantages
	}
	return leaf
}

func plainNode(n *sparkd.Node, c advantage.Credit, o Options) jsonObject {
	tokens, mask, exact := []sparkd.Token{}, []int{}, true
	for _, s := range n.Spans {
		tokens = append(tokens, s.Tokens...)
		for range s.Tokens {
			mask = append(mask, map[bool]int{true: 1}[s.Source == sparkd.SourceModel])
		}
		if s.Source == sparkd.SourceModel && !s.TokenExact {
			exact = false
		}
	}
	l := jsonObject{
		"id": n.ID, "parent": n.Parent, "depth": n.Depth, "round": n.Round, "reason": n.Decision.Reason,
		"of": n.Decision.Of, "shared_tokens": n.Decision.SharedTokens,
		"tokens": tokens, "mask": mask, "token_exact": exact,
		"logprobs":         plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.Logprobs }),
		"sampled_logprobs": plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.SampledLogprobs }),
		"reward":           nil, "advantage": nil, "weight": 0, "copies": 0,
		"error": code(n.Error), "obs_hash": n.ObsHash,
		"prompt_tokens": n.PromptTokens, "cached_tokens": n.CachedTokens,
	}
	plainStep(l, n, o)
	if o.Entropies {
		l["entropies"] = plainValues(n.Spans, func(s sparkd.Span) []float32 { return s.Entropies })
	}
	if !n.Failed() {
		l["reward"] = n.Reward
	}
	for _, r := range c.Unique {
		if r.Node == n.ID {
			l["advantage"], l["weight"], l["copies"] = r.Advantage, r.Weight, r.Copies
			if o.Dedupe == "tree" {
				l["weight"] = 1
			}
		}
	}
	return l
}

// plainStep adds what rows and nodes say alike.
func plainStep(l jsonObject, n *sparkd.Node, o Options) {
	l["action"], l["valid"], l["admissible"] = n.Action, n.Valid, n.Admissible
	l["done"], l["outcome"] = n.Done, n.Outcome
	l["tag"], l["tags"] = mode(n), append([]string{}, n.Signals.Tags...)
	l["finish"], l["policy_version"] = n.Finish, n.PolicyVersion
	if o.Text {
		output, observation := "", ""
		for _, s := range n.Spans {
			if s.Source == sparkd.SourceModel {
				output += s.Text
			} else {
				observation += s.Text
			}
		}
		l["text"], l["observation"] = output, observation
	}
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
func plainRows(t *sparkd.Tree, c advantage.Credit, o Options) []jsonObject {
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
	lines := []jsonObject{}
	for _, r := range rows {
		lines = append(lines, plainRow(t, r, o))
	}
	return lines
}

func plainRow(t *sparkd.Tree, r advantage.Row, o Options) jsonObject {
	n := t.Nodes[r.Node]
	output, exact := n.Model(), true
	prompt, mask := append([]sparkd.Token{}, t.Tokens(n.Parent)...), []int{}
	for i := range n.Spans {
		if &n.Spans[i] == output {
			break
		}
		prompt = append(prompt, n.Spans[i].Tokens...)
	}
	for range output.Tokens {
		mask = append(mask, 1)
	}
	for _, p := range t.Path(n.ID)[1:] {
		exact = exact && p.Model().TokenExact
	}
	l := jsonObject{
		"tree": t.ID, "rollout": t.Rollout, "task": t.Task.String(), "uid": t.Rollout + "/" + t.Task.String(),
		"traj_uid": plainUID(t, r.Leaf), "node_uid": plainUID(t, n.ID), "copies": r.Copies,
		"episode_reward": r.Return, "episode_length": r.Length, "won": r.Won,
		"score": r.Score, "advantage": r.Advantage, "weight": r.Weight,
		"step": n.Depth, "offset": 0, "reward": n.Reward, "anchor_obs": t.Nodes[n.Parent].ObsHash,
		"prompt_ids": prompt, "response_ids": append([]sparkd.Token{}, output.Tokens...), "response_mask": mask,
		"logprobs": output.Logprobs, "sampled_logprobs": output.SampledLogprobs, "token_exact": exact,
	}
	plainStep(l, n, o)
	if o.Entropies {
		l["entropies"] = output.Entropies
	}
	return l
}

func plainUID(t *sparkd.Tree, id int) string { return fmt.Sprintf("%s:%d", t.ID, id) }
