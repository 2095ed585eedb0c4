package api_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sparkd"
	"sparkd/api"
	"sparkd/branching"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// fake is a Backend that fails on demand: a fault named after a method runs first.
type fake struct {
	mu       sync.Mutex
	rollouts []sparkd.Rollout
	entries  []api.Entry
	events   []sparkd.Event
	wakes    map[chan struct{}]bool
	faults   map[string]func(ctx context.Context) error
	registry *prometheus.Registry
	released int
}

func newFake() *fake {
	f := &fake{
		wakes:    map[chan struct{}]bool{},
		faults:   map[string]func(context.Context) error{},
		registry: prometheus.NewRegistry(),
	}
	built := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sparkd_up", Help: "1 while the daemon runs."})
	built.Set(1)
	f.registry.MustRegister(built)
	return f
}

func (f *fake) fault(name string, do func(ctx context.Context) error) { f.faults[name] = do }

func (f *fake) fail(name string, err error) {
	f.fault(name, func(context.Context) error { return err })
}

func (f *fake) enter(ctx context.Context, name string) error {
	if do := f.faults[name]; do != nil {
		return do(ctx)
	}
	return nil
}

func (f *fake) Submit(ctx context.Context, spec sparkd.Spec) (sparkd.Rollout, bool, error) {
	if err := f.enter(ctx, "Submit"); err != nil {
		return sparkd.Rollout{}, false, err
	}
	spec, err := branching.Resolve(spec)
	if err != nil {
		return sparkd.Rollout{}, false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if spec.ID == "" {
		spec.ID = fmt.Sprintf("rollout-%d", len(f.rollouts)+1)
	}
	for _, r := range f.rollouts {
		if r.ID == spec.ID {
			if !reflect.DeepEqual(r.Spec, spec) {
				return sparkd.Rollout{}, false, &sparkd.Error{Code: sparkd.CodeConflict, Field: "id",
					Message: "taken by another request", Remedy: "choose another id"}
			}
			return r, false, nil
		}
	}
	r := sparkd.Rollout{ID: spec.ID, Spec: spec, State: sparkd.RolloutQueued, Trees: []string{"tree-1"}, Created: epoch}
	f.rollouts = append(f.rollouts, r)
	return r, true, nil
}

func (f *fake) Rollout(ctx context.Context, id string) (sparkd.Rollout, error) {
	if err := f.enter(ctx, "Rollout"); err != nil {
		return sparkd.Rollout{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rollouts {
		if r.ID == id {
			return r, nil
		}
	}
	return sparkd.Rollout{}, missing("rollout", id)
}

func missing(what, id string) error {
	return &sparkd.Error{Code: sparkd.CodeNotFound, Field: "id", Message: fmt.Sprintf("no %s %q", what, id),
		Remedy: "list them with GET /v1/rollouts"}
}

// Wait waits for what its fault waits for, and says how the rollout stands then.
func (f *fake) Wait(ctx context.Context, id string) (sparkd.Rollout, error) {
	if err := f.enter(ctx, "Wait"); err != nil {
		return sparkd.Rollout{}, err
	}
	return f.Rollout(ctx, id)
}

func (f *fake) Rollouts(ctx context.Context, l api.List) ([]sparkd.Rollout, string, error) {
	if err := f.enter(ctx, "Rollouts"); err != nil {
		return nil, "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(f.rollouts), func(r sparkd.Rollout) bool {
		return len(l.States) > 0 && !slices.Contains(l.States, r.State)
	})
	if !l.Oldest {
		slices.Reverse(list)
	}
	i := 1 + slices.IndexFunc(list, func(r sparkd.Rollout) bool { return r.ID == l.After })
	page := list[i:min(i+l.Limit, len(list))]
	if i+l.Limit < len(list) {
		return page, page[l.Limit-1].ID, nil
	}
	return page, "", nil
}

func (f *fake) Cancel(ctx context.Context, id string) (sparkd.Rollout, error) {
	if err := f.enter(ctx, "Cancel"); err != nil {
		return sparkd.Rollout{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.rollouts {
		if f.rollouts[i].ID == id {
			f.rollouts[i].State = sparkd.RolloutCanceled
			return f.rollouts[i], nil
		}
	}
	return sparkd.Rollout{}, missing("rollout", id)
}

func (f *fake) Tree(ctx context.Context, id string) (*sparkd.Tree, error) {
	if err := f.enter(ctx, "Tree"); err != nil {
		return nil, err
	}
	for _, e := range f.entries {
		if e.Tree.ID == id {
			return e.Tree, nil
		}
	}
	return nil, missing("tree", id)
}

func (f *fake) Completed(ctx context.Context, filter api.Filter) iter.Seq2[api.Entry, error] {
	return func(yield func(api.Entry, error) bool) {
		defer func() { f.mu.Lock(); f.released++; f.mu.Unlock() }()
		after, err := strconv.Atoi(cmp.Or(filter.After, "0"))
		if err != nil {
			err = sparkd.Invalid("after", "send a cursor of this daemon", "%q is no cursor", filter.After)
			yield(api.Entry{}, err)
			return
		}
		for i, e := range f.entries {
			if i < after {
				continue
			}
			if filter.Rollout != "" && e.Tree.Rollout != filter.Rollout {
				continue
			}
			if err := f.enter(ctx, "Completed"+e.Cursor); err != nil {
				yield(api.Entry{}, err)
				return
			}
			if !yield(e, ctx.Err()) {
				return
			}
			if filter.Limit--; filter.Limit == 0 {
				return
			}
		}
	}
}

// Events has numbers for cursors. One beyond the end is refused as one of another store.
func (f *fake) Events(ctx context.Context, after string, limit int) (page []api.LoggedEvent, err error) {
	if limit > 0 {
		if err := f.enter(ctx, "Events"); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i, err := strconv.ParseUint(cmp.Or(after, "0"), 10, 64)
	if err != nil {
		return nil, sparkd.Invalid("after", "send a cursor of this daemon", "%q is no cursor", after)
	} else if i > uint64(len(f.events)) {
		return nil, sparkd.NewError(sparkd.CodeConflict, "after", "start over", "the cursor is of another store")
	}
	for _, e := range f.events[i:min(int(i)+limit, len(f.events))] {
		page = append(page, api.LoggedEvent{Cursor: strconv.FormatUint(e.Seq, 10), Event: e})
	}
	return page, nil
}

func (f *fake) LastEvent(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strconv.Itoa(len(f.events)), nil
}

func (f *fake) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wakes[c] = true
	return c, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.wakes, c)
	}
}

// publish appends n events of a rollout and wakes all subscribers.
func (f *fake) publish(rollout string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		seq := uint64(len(f.events) + 1)
		f.events = append(f.events, sparkd.Event{
			Seq: seq, Time: epoch, Kind: sparkd.EventRound, Rollout: rollout, Tree: "tree-1", Round: int(seq),
		})
	}
	for c := range f.wakes {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// ended is the number of iterators of Completed that ended.
func (f *fake) ended() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.released
}

func (f *fake) subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.wakes)
}

func (f *fake) OpenSession(ctx context.Context, s sparkd.SessionSpec) (sparkd.Rollout, bool, error) {
	r, created, err := f.Submit(ctx, s.Rollout)
	if e := sparkd.AsError(err); e != nil && e.Field != "" {
		e.Field = "rollout." + e.Field
	}
	return r, created, err
}

// SessionCalls has one call for the rollout night-1.
func (f *fake) SessionCalls(ctx context.Context, id string, after uint64) (api.SessionCalls, error) {
	r, err := f.Rollout(ctx, id)
	calls := api.SessionCalls{Calls: []sparkd.EnvCall{}, State: r.State}
	if err == nil && after < 1 {
		task := sparkd.Task{Env: "client", Split: "train", Index: 3}
		calls.Calls = []sparkd.EnvCall{{ID: 1, Copy: 1, Op: "reset", Task: &task}}
	}
	return calls, err
}

func (f *fake) SessionAnswers(ctx context.Context, id string, answers []sparkd.EnvAnswer) (stale []uint64, err error) {
	for _, a := range answers {
		if a.ID != 1 {
			stale = append(stale, a.ID)
		}
	}
	_, err = f.Rollout(ctx, id)
	return stale, err
}

func (f *fake) CloseSession(ctx context.Context, id string) (sparkd.Rollout, error) {
	return f.Rollout(ctx, id)
}

func (f *fake) Engines() api.Engines {
	return api.Engines{PolicyVersion: "v1", Replicas: []sparkd.Replica{{
		Name: "http://a:8000", Dialect: "vllm", Version: "0.32.0", State: sparkd.ReplicaUp, Since: epoch,
		Requests: 3, PromptTokens: 300, ExpectedTokens: 200, CachedTokens: 192,
	}}}
}

func (f *fake) Reload(ctx context.Context, w sparkd.Weights) error {
	if err := f.enter(ctx, "Reload"); err != nil {
		return err
	}
	if w.Path == "/missing" {
		return &sparkd.Error{Code: sparkd.CodeModel, Field: "path", Message: "no such file", Remedy: "name another"}
	}
	return nil
}

func (f *fake) Drain(replica string, out bool) error {
	if replica != "http://a:8000" {
		return &sparkd.Error{Code: sparkd.CodeNotFound, Field: "replica", Message: "there is no such replica",
			Remedy: "http://a:8000"}
	}
	return nil
}

func (f *fake) Info() api.Info {
	f.mu.Lock()
	defer f.mu.Unlock()
	return api.Info{
		Version: "1.2.3", Go: "go1.26", Started: epoch,
		Policies: []string{"spark"}, Advantages: []string{"grpo"}, Formats: []string{"tree", "rows"},
		Environments: []sparkd.EnvInfo{{
			Name: "household", Splits: map[string]int{"train": 1000}, MaxSteps: 30, Fork: sparkd.ForkNative,
			About: "houses",
		}},
		Engine: sparkd.EngineInfo{Name: "embedded", Model: "tiny", EOS: 1, EOT: 1, BOS: -1}, Prompt: "paper",
		Queue: 64, Trees: 8, LastEvent: uint64(len(f.events)),
	}
}

func (f *fake) Ready() error                  { return f.enter(context.Background(), "Ready") }
func (f *fake) Gatherer() prometheus.Gatherer { return f.registry }

// addTrees gives the fake n finished trees of a rollout.
func (f *fake) addTrees(rollout string, n int) {
	for range n {
		i := len(f.entries) + 1
		f.entries = append(f.entries, api.Entry{Cursor: strconv.Itoa(i), Tree: tree(rollout, i)})
	}
}

// tree is a finished tree of one root that ends after one step.
func tree(rollout string, i int) *sparkd.Tree {
	opening := sparkd.Span{Source: sparkd.SourcePrompt, Tokens: []sparkd.Token{1, 2}, Text: "go", TokenExact: true}
	answer := sparkd.Span{Source: sparkd.SourceModel, Tokens: []sparkd.Token{3}, Logprobs: []float32{-0.5},
		Text: "look", TokenExact: true}
	return &sparkd.Tree{
		ID: fmt.Sprintf("tree-%d", i), Rollout: rollout,
		Task: sparkd.Task{Env: "household", Split: "train", Index: i}, Goal: "put a mug on the desk",
		Seed: uint64(i), State: sparkd.TreeDone, Round: 1, Created: epoch, Finished: epoch.Add(time.Second),
		Nodes: []*sparkd.Node{
			{ID: 0, Parent: -1, Spans: []sparkd.Span{opening}, Started: epoch},
			{
				ID: 1, Parent: 0, Depth: 1, Round: 1, Valid: true, Admissible: true, Reward: 10, Done: true,
				Outcome: sparkd.OutcomeSuccess, Action: "look", Spans: []sparkd.Span{answer},
				Decision: sparkd.Decision{K: 1, Reason: "root"}, Finish: sparkd.FinishStop, Started: epoch,
			},
		},
		Stats: sparkd.Stats{Leaves: 1, Nodes: 1, Successes: 1, GeneratedTokens: 1},
	}
}
