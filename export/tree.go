package export

import (
	"reflect"
	"slices"
	"strconv"

	"sparkd"
)

// treeFormat has all trajectories of one task, every step once. The token sequence of a
// trajectory is the concatenation of tokens along its path.
var treeFormat = format{
	name: "tree", about: "one tree, every node once",
	lines: wholeTrees(slices.Concat(treeNames, fields[*creditedTree]{
		{"goal", text(func(t *creditedTree) string { return t.Goal }), "the task in words"},
		{"seed", seed, "of the tree"},
		{"state", text(func(t *creditedTree) sparkd.TreeState { return t.State }), `"done", "failed" or "canceled"`},
		{"error", text(func(t *creditedTree) string { return code(t.Error) }),
			`code of why the tree failed: "engine", "env" …; "" otherwise`},
		{"estimator", text(func(t *creditedTree) string { return t.o.Advantage }), "that computed the advantages"},
		{"dedupe", text(func(t *creditedTree) string { return t.o.Dedupe }),
			`"copies": leaves carry advantages; else only nodes do`},
		{"nodes", list((*creditedTree).nodes, object(nodeFields)),
			"by id, which is the index; 0 is the opening context"},
		{"leaves", list((*creditedTree).trajectories, object(leafFields)), "the trajectories that ended, by leaf id"},
	})),
}

var seed = value[*creditedTree]{typ: reflect.TypeFor[uint64], write: func(out *buffer, t *creditedTree) {
	out.b = strconv.AppendUint(out.b, t.Seed, 10)
}}

// wholeTrees are lines of one tree each.
func wholeTrees(line fields[*creditedTree]) lines {
	return perTree(line, func(e *encoder, t *creditedTree, write func(*creditedTree)) {
		t.merged = merge(t.copies, len(t.Nodes))
		e.o.weigh(t.merged)
		for i := range t.merged {
			e.trained(&t.merged[i])
		}
		for _, n := range t.Nodes {
			for i := range n.Spans {
				e.m.Tokens += len(n.Spans[i].Tokens)
			}
		}
		write(t)
	})
}

// treeNode is a node with its merged step, which it may not have: the tokens that the model generated, then those
// that the environment answered. Per-token lists have the length of tokens.
type treeNode struct {
	*sparkd.Node
	step *step
}

// nodes returns the nodes with their steps.
func (t *creditedTree) nodes() []treeNode {
	nodes, merged := make([]treeNode, len(t.Nodes)), t.merged
	none := new(step)
	for i, n := range t.Nodes {
		nodes[i].Node, nodes[i].step = n, none
		if len(merged) > 0 && merged[0].Node == n.ID {
			nodes[i].step, merged = &merged[0], merged[1:]
		}
	}
	return nodes
}

var nodeFields = slices.Concat(
	fields[treeNode]{
		{"id", integer(func(n treeNode) int { return n.ID }), "index in nodes"},
		{"parent", integer(func(n treeNode) int { return n.Parent }), "-1 for node 0"},
		{"depth", integer(func(n treeNode) int { return n.Depth }), "steps from node 0"},
		{"round", integer(func(n treeNode) int { return n.Round }), "of growth, that made it"},
		{"reason", text(func(n treeNode) string { return n.Decision.Reason }),
			`why it was sampled: "root", "linear", "tag:explore" …; "" for node 0`},
		{"of", integer(func(n treeNode) int { return n.Decision.Of }),
			"the sibling whose first sampled tokens are also the node's; 0: none"},
		{"shared_tokens", integer(func(n treeNode) int { return n.Decision.SharedTokens }), "so many of them"},
		{"tokens", items[int32](treeNode.appendTokens), "vocabulary ids"},
		{"mask", items[int](treeNode.appendMask), "1 where the model sampled the token, 0 where it read it"},
		{"logprobs", spanNumbers(func(s *sparkd.Span) []float32 { return s.Logprobs }),
			"nats, raw distribution, 0 where mask is 0; null: none known"},
		{"sampled_logprobs", spanNumbers(func(s *sparkd.Span) []float32 { return s.SampledLogprobs }),
			"nats, distribution sampled from; null: as logprobs"},
		{"entropies", only(withEntropies, spanNumbers(func(s *sparkd.Span) []float32 { return s.Entropies })),
			"nats, full raw distribution, 0 where mask is 0; null: none known; option Entropies"},
		{"token_exact", boolean(treeNode.exact), "false: the engine reported no ids, they were made from text"},
		{"reward", numberOrNull(treeNode.reward), "of this step, in the environment's unit; null for a failed branch"},
		{"advantage", numberOrNull(treeNode.advantage),
			"mean over the trajectories through the node; null where there are none, and for node 0"},
		{"weight", number(func(n treeNode) float64 { return n.step.Weight }),
			"of the loss of the node's sampled tokens, see dedupe; 0 where there is no advantage"},
		{"copies", integer(func(n treeNode) int { return n.step.Copies }),
			"trajectories through the node; 0 for node 0"},
	},
	on(treeNode.node, playedFields),
	fields[treeNode]{
		{"error", text(func(n treeNode) string { return code(n.Error) }),
			`code of why the branch failed: "env_diverged", "engine" …; "" otherwise`},
		{"obs_hash", text(func(n treeNode) string { return n.ObsHash }),
			"identifies the observation that ends the node"},
	},
	on(treeNode.node, sampledFields),
	fields[treeNode]{
		{"prompt_tokens", integer(func(n treeNode) int { return n.PromptTokens }),
			"of the expansion that made the node; counted on its first child"},
		{"cached_tokens", integer(func(n treeNode) int { return n.CachedTokens }), "of them, reused"},
	},
	on(treeNode.node, textFields),
)

func (n treeNode) node() *sparkd.Node { return n.Node }

func (n treeNode) appendTokens(b []byte) []byte {
	for i := range n.Spans {
		b = appendTokens(b, n.Spans[i].Tokens)
	}
	return b
}

func (n treeNode) appendMask(b []byte) []byte {
	for i := range n.Spans {
		s, item := &n.Spans[i], "0,"
		if s.Trained() {
			item = "1,"
		}
		b = repeat(b, item, len(s.Tokens))
	}
	return b
}

// spanNumbers are one number per token, 0 for tokens that were not sampled, or null where no sampled token has one.
func spanNumbers(of func(*sparkd.Span) []float32) value[treeNode] {
	return value[treeNode]{typ: reflect.TypeFor[[]float32], write: func(out *buffer, n treeNode) {
		begin, known := len(out.b), false
		out.b = append(out.b, '[')
		for i := range n.Spans {
			s := &n.Spans[i]
			if v := of(s); v != nil {
				out.b = appendFloats(out.b, v)
				known = true
			} else {
				out.b = repeat(out.b, "0.0,", len(s.Tokens))
			}
		}
		out.endList()
		if !known {
			out.b = append(out.b[:begin], "null"...)
		}
	}}
}

func (n treeNode) exact() bool {
	for i := range n.Spans {
		if s := &n.Spans[i]; s.Trained() && !s.TokenExact {
			return false
		}
	}
	return true
}

// reward is nil for a failed branch: a failure is never a reward of 0.
func (n treeNode) reward() *float64 {
	if n.Failed() {
		return nil
	}
	return &n.Reward
}

func (n treeNode) advantage() *float64 {
	if n.step.Copies == 0 {
		return nil
	}
	return &n.step.Advantage
}

// leafSteps are the steps of a trajectory.
type leafSteps struct {
	tree  *creditedTree
	steps []step
}

// trajectories returns those that are in the export.
func (t *creditedTree) trajectories() []leafSteps {
	var all []leafSteps
	for rest := kept(t.copies); len(rest) > 0; {
		n := t.Nodes[rest[0].Leaf].Depth
		all = append(all, leafSteps{t, rest[:n]})
		rest = rest[n:]
	}
	return all
}

var leafFields = fields[leafSteps]{
	{"leaf", integer(leafSteps.leaf), "node id of its last step"},
	{"traj_uid", uid(func(l leafSteps) (*sparkd.Tree, int) { return l.tree.Tree, l.leaf() }), `"tree:leaf"`},
	{"path", list(leafSteps.path, integer(itself[int])), "node ids from 0 to the leaf"},
	{"outcome", text(func(l leafSteps) sparkd.Outcome { return l.tree.Nodes[l.leaf()].Outcome }),
		`"success", "failure", "step_limit", "context", "budget"`},
	{"episode_reward", number(func(l leafSteps) float64 { return l.steps[0].Return }),
		"sum of the rewards on the path, in the environment's unit"},
	{"episode_length", integer(func(l leafSteps) int { return len(l.steps) }), "steps"},
	{"advantages", only(func(o *Options, _ leafSteps) bool { return o.Dedupe == "copies" },
		list(func(l leafSteps) []step { return l.steps }, number(func(s step) float64 { return s.Advantage }))),
		"of each step, for path[1:]; dedupe copies only"},
}

func (l leafSteps) leaf() int { return l.steps[0].Leaf }

func (l leafSteps) path() []int {
	path := []int{0}
	for i := range l.steps {
		path = append(path, l.steps[i].Node)
	}
	return path
}
