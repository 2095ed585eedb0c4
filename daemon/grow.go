package daemon

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/env"
	"sparkd/sampler"
	"sparkd/store"
)

// grower grows trees, each in a goroutine of its own. Nothing in it changes.
type grower struct {
	log      zerolog.Logger
	store    *store.Store
	metrics  *metrics
	engine   sparkd.Engine
	template sampler.Template
	prompt   sampler.Prompt
	limits   *sampler.Options
	envs     *env.Catalog
	sessions *sessions
	openEnv  func(ctx context.Context, env string) (sparkd.Env, error) // instead of envs, unless nil
}

// growth is a tree to grow. Nothing in it changes.
type growth struct {
	ctx           context.Context // ended with the cause errCanceled or errDraining
	rollout, tree string          // ids
	spec          *sparkd.Spec
	task          sparkd.Task
	draining      <-chan struct{} // closed when the tree is to stop behind the round under way
	// committed tells the totals of the tree behind every round, or why one could not be stored.
	committed func(sparkd.Stats, error)
}

// run grows a tree and returns it with its end, which is stored; nil where a shutdown cut
// it and it grows on at the next start.
func (g *grower) run(w *growth) *sparkd.Tree {
	tree, err := g.grow(w)
	switch {
	case err == nil:
		return tree
	case context.Cause(w.ctx) == errCanceled:
		return g.closeTree(w, sparkd.TreeCanceled, nil)
	case closed(w.draining):
		return nil
	}
	g.log.Error().Err(err).Str("rollout", w.rollout).Str("tree", w.tree).Msg("a tree failed")
	return g.closeTree(w, sparkd.TreeFailed, sparkd.AsError(err))
}

// grow grows a tree from its last committed round to its end. A panic fails the tree and not the daemon.
func (g *grower) grow(w *growth) (tree *sparkd.Tree, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error().Interface("panic", p).Bytes("stack", debug.Stack()).Msg("growing a tree panicked")
			err = sparkd.Errorf(sparkd.CodeInternal, "growing the tree panicked: %v", p)
		}
	}()
	tree, err = g.store.Tree(w.ctx, w.tree)
	switch {
	case sparkd.CodeOf(err) == sparkd.CodeNotFound:
		tree = w.newTree()
	case err != nil:
		return nil, err
	case tree.State != sparkd.TreeGrowing:
		return tree, nil
	}
	w.committed(tree.Stats, nil)
	open, limit, err := g.opener(w)
	if err != nil {
		return tree, err
	}
	prompt := g.prompt
	prompt.Shown = g.examples(w.spec.Tasks.Env)
	deps := sampler.Deps{
		Engine: g.engine, Template: g.template, Prompt: prompt, OpenEnv: open, Commit: g.commit(w, tree.Stats),
		SampleTimeout: g.limits.SampleTimeout, EnvTimeout: limit,
	}
	return tree, sampler.Grow(w.ctx, deps, w.spec, tree)
}

func (w *growth) newTree() *sparkd.Tree {
	return sampler.NewTree(w.rollout, w.spec, w.task, w.tree, time.Now())
}

// opener returns what opens copies of a rollout's environment, and how long one call of them may take.
func (g *grower) opener(w *growth) (func(context.Context) (sparkd.Env, error), time.Duration, error) {
	name, limit := w.spec.Tasks.Env, g.limits.EnvTimeout
	if name == sparkd.EnvClient {
		after := sparkd.DefaultSessionSpec() // until the client comes back after a restart
		s, _ := g.sessions.open(w.rollout, &after)
		return s.Open, sparkd.MaxSessionTimeout + time.Second, nil // the session's own limit is shorter
	}
	if g.openEnv != nil {
		return func(ctx context.Context) (sparkd.Env, error) { return g.openEnv(ctx, name) }, limit, nil
	}
	s, err := g.envs.Source(name)
	if err != nil {
		return nil, 0, err
	}
	return s.Open, limit, nil
}

// examples are those of an environment's own; nil where it has none.
func (g *grower) examples(env string) []sparkd.Example {
	s, err := g.envs.Source(env)
	if err != nil {
		return nil
	}
	return s.Info().Examples
}

// commit stores a round, counts what it has beyond before, and stops the tree behind it in a shutdown. A round
// that is complete is stored even if its rollout was canceled meanwhile.
func (g *grower) commit(w *growth, before sparkd.Stats) func(context.Context, *sparkd.Tree, int) error {
	return func(_ context.Context, t *sparkd.Tree, first int) error {
		start := time.Now()
		if err := g.put(w, t, first); err != nil {
			return err
		}
		g.metrics.committed(time.Since(start), t, first, before)
		before = t.Stats
		if closed(w.draining) && t.State == sparkd.TreeGrowing {
			return errDraining
		}
		return nil
	}
}

// put stores a round, or the end of a tree. While the disk does not take it the tree waits, until a shutdown leaves it
// to the next start: nothing of it is lost, and it does not fail for that.
func (g *grower) put(w *growth, t *sparkd.Tree, first int) error {
	for failed := 0; ; failed++ {
		err := g.store.PutRound(context.Background(), t, first)
		w.committed(t.Stats, err)
		switch log := g.log.With().Str("rollout", w.rollout).Str("tree", t.ID).Logger(); {
		case err == nil && failed > 0:
			log.Info().Msg("a round is stored after all")
		case err != nil && failed == 0:
			log.Error().Err(err).Msg("a round could not be stored")
		}
		if !waits(err) {
			return err
		}
		select {
		case <-time.After(pause(failed)):
		case <-w.draining:
			return errDraining
		}
	}
}

// closeTree ends a tree in the store as it was last committed. It returns nil where a shutdown leaves that to the next
// start.
func (g *grower) closeTree(w *growth, state sparkd.TreeState, cause *sparkd.Error) *sparkd.Tree {
	tree, err := g.store.Tree(context.Background(), w.tree)
	if err != nil {
		tree = w.newTree()
	}
	tree.State, tree.Error, tree.Finished = state, cause, time.Now()
	if err == nil || sparkd.CodeOf(err) == sparkd.CodeNotFound {
		err = g.put(w, tree, len(tree.Nodes))
	}
	if err != nil && closed(w.draining) {
		return nil
	} else if err != nil {
		g.log.Error().Err(err).Str("tree", w.tree).Msg("the end of a tree could not be stored")
	}
	return tree
}
