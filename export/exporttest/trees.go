// Package exporttest holds the trees that the golden files of exports are made of: small
// enough to check by hand, and with every case that a format has to keep apart.
package exporttest

import (
	"fmt"

	"sparkd"
)

// Groups returns the fixed groups of trees, a new copy each time: T*, a fork inside a
// step, and T* in the window context.
func Groups() [][]*sparkd.Tree { return [][]*sparkd.Tree{{Star()}, {Inside()}, {Window()}} }

// Star is the tree T* that the estimators' worked numbers are about, with tokens: root 1 takes s1, s2 and forks into A
// (s3a, s4a; R = 1) and B (s3b, of invalid format; R = 0); root 2 is C (c1, c2; R = 0). A third root failed.
func Star() *sparkd.Tree {
	t := opened("01K0TREE000000000000000000", 17)
	step(t, 0, "s1")
	step(t, 0, "c1")
	broken := end(step(t, 0, "x1"), sparkd.OutcomeFailed)
	broken.Spans, broken.Error = nil, sparkd.Errorf(sparkd.CodeEnv, "broken")
	step(t, 1, "s2").Signals.Tags = []string{"think", "explore"}
	end(step(t, 2, "c2"), sparkd.OutcomeFailure)
	step(t, 4, "s3a").Decision = sparkd.Decision{K: 2, Reason: "tag:explore"}
	b := end(step(t, 4, "s3b"), sparkd.OutcomeStepLimit)
	b.Valid, b.Admissible, b.Action, b.Signals.Tags, b.Finish = false, false, "", nil, sparkd.FinishLength
	b.Decision = sparkd.Decision{K: 2, Index: 1, Reason: "tag:explore"}
	end(step(t, 6, "s4a"), sparkd.OutcomeSuccess).Reward = 1
	return t
}

// Inside is a tree that forks inside a step: f1 has five tokens, f2 shares the first three of them and f3 the
// first four, drawn once for all. f1 and f3 reach the goal, f3 after a second step; f2 does not.
func Inside() *sparkd.Tree {
	t := opened("01K0TREE000000000000000001", 18)
	first := end(long(step(t, 0, "f1"), 101, 102, 103, 104, 105), sparkd.OutcomeSuccess)
	first.Reward = 1
	second := end(long(step(t, 0, "f2"), 101, 102, 103, 206, 207), sparkd.OutcomeFailure)
	third := long(step(t, 0, "f3"), 101, 102, 103, 104, 308, 309)
	for n, shared := range map[*sparkd.Node]int{second: 3, third: 4} {
		n.Decision = sparkd.Decision{K: 1, Reason: "token", Of: first.ID, SharedTokens: shared}
		copy(n.Spans[0].Logprobs[:shared], first.Spans[0].Logprobs)
	}
	end(step(t, third.ID, "f4"), sparkd.OutcomeSuccess).Reward = 1
	return t
}

// Window is T* as the window context grows it: a node that can grow on ends with a
// prompt span that holds the whole prompt of its children.
func Window() *sparkd.Tree {
	t := Star()
	t.ID, t.Task.Index = "01K0TREE000000000000000002", 19
	for _, n := range t.Nodes {
		if n.ID == 0 || n.Failed() {
			continue
		}
		n.Spans[1].Tokens = nil // it is quoted in the prompt
		if n.Outcome == sparkd.OutcomeNone {
			k := sparkd.Token(1000 + 10*n.ID)
			n.Spans = append(n.Spans, prompt("After "+n.Action+".", 1, 20, k, k+1, 50000))
		}
	}
	return t
}

func opened(id string, index int) *sparkd.Tree {
	opening := prompt("You are in a room.", 1, 20, 300, 4000, 50000)
	return &sparkd.Tree{
		ID: id, Rollout: "toy", Task: sparkd.Task{Env: "household", Split: "train", Index: index},
		Goal: "put a \"mug\" in the sink", Seed: 1<<63 + 5, State: sparkd.TreeDone, Round: 4,
		Nodes: []*sparkd.Node{{Parent: -1, ObsHash: "h0", Spans: []sparkd.Span{opening}}},
	}
}

// prompt renders a system and a user message.
func prompt(user string, tokens ...sparkd.Token) sparkd.Span {
	const system, between, after = "<system>Act.", "<user>", "<assistant>"
	text := system + between + user + after
	from := len(system) + len(between)
	return sparkd.Span{Source: sparkd.SourcePrompt, Tokens: tokens, TokenExact: true, Text: text,
		Turns: []sparkd.Turn{{Role: "system", From: len("<system>"), To: len(system)},
			{Role: "user", From: from, To: from + len(user)}}}
}

func step(t *sparkd.Tree, parent int, name string) *sparkd.Node {
	id := len(t.Nodes)
	k := sparkd.Token(10 * id)
	n := &sparkd.Node{ID: id, Parent: parent, Depth: t.Nodes[parent].Depth + 1, Round: t.Nodes[parent].Depth + 1,
		Action: "do " + name, Valid: true, Admissible: true, ObsHash: fmt.Sprint("h", id), Finish: sparkd.FinishStop,
		PolicyVersion: "7", Signals: sparkd.Signals{Tags: []string{"think"}},
		Decision: sparkd.Decision{K: 1, Reason: "linear"},
		Spans: []sparkd.Span{
			{Source: sparkd.SourceModel, Tokens: []sparkd.Token{k, k + 1}, Logprobs: []float32{-.5, -float32(id) / 7},
				Entropies: []float32{.25, 0}, TokenExact: true, Text: "<think>" + name + "</think>"},
			{Source: sparkd.SourceEnv, Tokens: []sparkd.Token{k + 2}, TokenExact: true, Text: "After " + name + "."},
		}}
	t.Nodes = append(t.Nodes, n)
	return n
}

// long gives a step other output tokens.
func long(n *sparkd.Node, tokens ...sparkd.Token) *sparkd.Node {
	s := &n.Spans[0]
	s.Tokens, s.Logprobs, s.Entropies = tokens, nil, nil
	for i := range tokens {
		s.Logprobs = append(s.Logprobs, -float32(n.ID)/8-float32(i)/16)
		s.Entropies = append(s.Entropies, float32(i)/4)
	}
	return n
}

func end(n *sparkd.Node, o sparkd.Outcome) *sparkd.Node {
	n.Done, n.Outcome = true, o
	return n
}
