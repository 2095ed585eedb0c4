package sampler

import (
	"context"
	"hash/fnv"
	"strings"
	"time"

	"sparkd"
	"sparkd/branching"
)

// Deps is what Grow uses of the world.
type Deps struct {
	Engine sparkd.Engine
	// Template is the engine's, from ModelTemplate; the zero Template is derived anew for every tree.
	Template Template
	// Prompt words the messages; its Tag is set from the request's policy.
	Prompt Prompt
	// OpenEnv returns a fresh copy of the task's environment.
	OpenEnv func(context.Context) (sparkd.Env, error)
	// Commit stores a round: the tree's header and its nodes from first on. A tree that failed before its first
	// observation is committed without nodes. An error ends Grow.
	Commit func(ctx context.Context, t *sparkd.Tree, first int) error
	Clock  func() time.Time // nil: time.Now; asked by many goroutines

	SampleTimeout time.Duration // of one engine request
	EnvTimeout    time.Duration // of one call of an environment
}

// NewTree returns a tree to grow. Its seed depends on the request's seed and the task
// alone, so that the order of tasks does not matter.
func NewTree(rollout string, spec *sparkd.Spec, task sparkd.Task, id string, now time.Time) *sparkd.Tree {
	h := fnv.New64a()
	h.Write([]byte(task.String()))
	return &sparkd.Tree{ID: id, Rollout: rollout, Task: task, Seed: sparkd.Mix(spec.Seed, h.Sum64()),
		State: sparkd.TreeGrowing, Created: now}
}

// Grow grows a tree to its end, from wherever its last committed round left it, and sets its State. Engines and
// environments that fail make failed nodes and never an error of Grow. It returns an error when ctx ends, when a
// round cannot be committed and when the request names no policy; the tree then stands at its last committed round
// and can be grown on.
//
// The budget of seconds is looked at between rounds, so that the last round may exceed it. What is left of that of
// generated tokens is divided among the continuations of a round; a step that it cuts off ends its trajectory with
// outcome budget, and so end the leaves that a budget leaves growing in the round that is committed last.
func Grow(ctx context.Context, d Deps, spec *sparkd.Spec, t *sparkd.Tree) error {
	if t.State != sparkd.TreeGrowing {
		return nil
	}
	g, err := newGrower(ctx, d, spec, t)
	if err != nil {
		return err
	}
	defer g.envs.close()
	if t.Round == 0 {
		if err := g.open(ctx); err != nil {
			return err
		}
	} else if g.plan(nil); t.State != sparkd.TreeGrowing {
		return g.Commit(ctx, t, len(t.Nodes))
	}
	for t.State == sparkd.TreeGrowing {
		if err := g.round(ctx); err != nil {
			return err
		}
	}
	return nil
}

// grower grows one tree. Its fields belong to the goroutine that runs Grow; the expansions of a round only read them.
type grower struct {
	Deps
	spec   *sparkd.Spec
	tree   *sparkd.Tree
	policy branching.Policy
	chat   *chat
	envs   *envs

	next   []branching.Expansion // of the coming round
	leaves map[int]*leaf         // by node
	counts []counts              // by node
	window *window               // nil with the append context
	begun  time.Time
	spent  time.Duration // of growing, before this Grow
}

// leaf is what a node owns that can be expanded: its token prefix and the environment
// at that state. Either may be missing and is then rebuilt from the tree.
type leaf struct {
	tokens     []sparkd.Token
	env        *env
	admissible []string
}

// counts says what the tree holds below a node.
type counts struct {
	children  int  // all of them, failed ones included
	surviving int  // those that did not fail
	sampled   bool // the node's prefix was run through the model
}

func newGrower(ctx context.Context, d Deps, spec *sparkd.Spec, t *sparkd.Tree) (*grower, error) {
	policy, err := branching.NewPolicy(spec.Policy, spec.MaxSteps)
	if err != nil {
		return nil, err
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Template.Name == "" {
		if d.Template, err = ModelTemplate(ctx, d.Engine); err != nil {
			return nil, err
		}
	}
	if tag := spec.Policy.Tag; tag != nil {
		d.Prompt.Tag = *tag
	}
	g := &grower{Deps: d, spec: spec, tree: t, policy: policy, envs: newEnvs(d), leaves: map[int]*leaf{},
		begun: d.Clock(), spent: growingTime(t)}
	g.chat, err = patiently(ctx, d.SampleTimeout, 0, func(ctx context.Context) (*chat, error) {
		return newChat(ctx, d.Engine, d.Template, d.SampleTimeout)
	})
	if err != nil {
		return nil, err
	}
	if spec.Context.Mode == sparkd.ContextWindow {
		g.window = &window{size: spec.Context.Window}
	}
	for _, n := range t.Nodes {
		g.enter(n)
	}
	if g.window != nil {
		g.window.recall(t)
	}
	return g, nil
}

// enter notes a node of the tree with its parent.
func (g *grower) enter(n *sparkd.Node) {
	g.counts = append(g.counts, counts{})
	if n.Parent < 0 {
		return
	}
	p := &g.counts[n.Parent]
	p.children++
	if !n.Failed() {
		p.surviving++
	}
	p.sampled = p.sampled || n.PromptTokens > 0
}

// open starts the task and commits node 0, or the tree as failed.
func (g *grower) open(ctx context.Context) error {
	started := g.Clock()
	e, o, err := g.envs.start(ctx, g.tree.Task)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return g.fail(ctx, envError(err))
	}
	if err := playable(g.tree.Task, &o); err != nil {
		return g.fail(ctx, envError(err))
	}
	n := &sparkd.Node{Parent: -1, ObsHash: o.Hash(), Valid: true, Admissible: true, Reward: o.Reward, Started: started,
		EnvTime: g.Clock().Sub(started)}
	g.tree.Goal = o.Goal
	prompt, fits, err := g.prompt(ctx, g.Prompt.Opening(&o))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return g.fail(ctx, engineError(err))
	}
	if !fits {
		const remedy = "use a model with a longer context, or list fewer actions (sampler.admissible)"
		return g.fail(ctx, sparkd.NewError(sparkd.CodeContext, "", remedy,
			"the task's opening is longer than the model's context"))
	}
	if g.window != nil { // what later prompts will quote
		n.Spans = []sparkd.Span{g.span(sparkd.SourceEnv, strings.TrimSpace(o.Text))}
	}
	n.Spans = append(n.Spans, prompt)
	if err := g.commit(ctx, []*sparkd.Node{n}, sparkd.Stats{}); err != nil {
		return err
	}
	g.leaves[0] = &leaf{tokens: prompt.Tokens, env: e, admissible: o.Admissible}
	return nil
}

// playable checks that a reset left something to do.
func playable(t sparkd.Task, o *sparkd.Observation) error {
	if o.Done {
		return sparkd.NewError(sparkd.CodeEnv, "tasks", "leave the task out, or let its reset begin an episode",
			"the task %s was over before its first step: its reset says done (success %v, reward %v)",
			t, o.Success, o.Reward)
	}
	return finite(o, 0)
}

// prompt renders a conversation from its start: rules, examples and one user message. It reports whether it fits in
// the model's context, and has no tokens where it does not.
func (g *grower) prompt(ctx context.Context, user string) (span sparkd.Span, fits bool, err error) {
	if fits, err = g.chat.room(ctx, user); err != nil || !fits {
		return span, false, err
	}
	parts := g.Template.Opening(g.Prompt.System(), user, g.Prompt.Examples()...)
	text, turns := written(parts)
	span = g.span(sparkd.SourcePrompt, text)
	span.Turns = turns
	span.Tokens, err = g.chat.opening(ctx, parts)
	return span, !g.chat.full(len(span.Tokens)), err
}

func (g *grower) span(source sparkd.Source, text string) sparkd.Span {
	return sparkd.Span{Source: source, Text: text, TokenExact: g.chat.info.Capabilities.TokenExact}
}

// written returns the text of parts, as the model reads it, and says where in it the messages stand.
func written(parts []Part) (text string, turns []sparkd.Turn) {
	for _, p := range parts {
		from := len(text)
		text += p.Text
		if p.Role != "" {
			turns = append(turns, sparkd.Turn{Role: p.Role, From: from, To: len(text)})
		}
	}
	return text, turns
}

// fail ends a tree that has no trajectory.
func (g *grower) fail(ctx context.Context, err *sparkd.Error) error {
	before := *g.tree
	g.end(sparkd.TreeFailed, err)
	if err := g.Commit(ctx, g.tree, 0); err != nil {
		*g.tree = before
		return err
	}
	return nil
}

// commit appends a round's nodes, decides how the tree goes on, and stores both. If it cannot, the tree is as it was.
func (g *grower) commit(ctx context.Context, nodes []*sparkd.Node, spent sparkd.Stats) error {
	t, before := g.tree, *g.tree
	t.Nodes = append(t.Nodes, nodes...)
	t.Stats.Add(spent)
	t.Round++
	for _, n := range nodes {
		g.enter(n)
	}
	g.plan(nodes)
	if err := g.Commit(ctx, t, len(before.Nodes)); err != nil {
		*t = before
		return err
	}
	return nil
}

// plan asks the policy for the next round. If there is none the tree ends, and so do those of its newest nodes that
// would have grown on. A tree that was just loaded has no newest nodes: what its last commit planned is planned again.
func (g *grower) plan(newest []*sparkd.Node) {
	t := g.tree
	g.next = nil
	seconds := (g.spent + g.Clock().Sub(g.begun)).Seconds()
	if most := g.spec.Budget.Seconds; most == 0 || seconds < most || newest == nil {
		g.next = g.policy.Next(t, g.spec.Budget, branching.PolicyRand(t.Seed, t.Round))
	}
	if len(g.next) > 0 {
		return
	}
	for _, n := range newest {
		if n.ID > 0 && !n.Done && !n.Failed() {
			n.Done, n.Outcome = true, sparkd.OutcomeBudget
		}
	}
	err := sparkd.Errorf(sparkd.CodeDeadline, "the budget ended before the first step")
	for _, n := range t.Nodes {
		switch {
		case n.Failed():
			err = n.Error
		case n.Done:
			g.end(sparkd.TreeDone, nil)
			return
		}
	}
	g.end(sparkd.TreeFailed, err)
}

func (g *grower) end(state sparkd.TreeState, err *sparkd.Error) {
	g.tree.State, g.tree.Error, g.tree.Finished = state, err, g.Clock()
}

// growingTime returns how long a tree has been grown: the sum of its rounds, without what lay between them.
func growingTime(t *sparkd.Tree) time.Duration {
	var sum time.Duration
	for i := 0; i < len(t.Nodes); {
		round, first := t.Nodes[i].Round, t.Nodes[i].Started
		var longest time.Duration
		for ; i < len(t.Nodes) && t.Nodes[i].Round == round; i++ {
			n := t.Nodes[i]
			longest = max(longest, n.Started.Sub(first)+n.SampleTime+n.EnvTime)
		}
		sum += longest
	}
	return sum
}
