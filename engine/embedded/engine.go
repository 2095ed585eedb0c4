// Package embedded is the engine inside the process: llama.cpp on a GGUF, with KV cells that branches share. All
// cgo of sparkd is here; a build without cgo works and says what it lacks.
//
// # Forks
//
// KV cells come in blocks of 16, and a sequence is a path of references to blocks. A fork refers to its prefix and
// appends into blocks of its own: it copies nothing, and since the attention kernel reads exactly the path of a
// sequence, what else is alive costs it nothing. When a continuation ends, its cells stay, under the tokens they
// stand for, in a radix index; the next request that begins with these tokens finds them there. Blocks that
// nothing but the index refers to are given away again, least recently used first.
//
// # Scheduling
//
// One goroutine owns the model. Each forward takes the next token of every live continuation and fills up with
// chunks of prompts, dealt to the trees in turn. A request waits until all blocks it could ever take are there, so
// no two requests can block each other; and while a prompt that begins as its own is being computed, so nothing is
// computed twice.
//
// # What is counted
//
// A prompt token is computed when it is run through the model as part of a prompt, and cached when its key and
// value were there: computed + cached = prompt, for each request, where prefixes are shared. The last token of a
// prompt is always computed, because its logits are needed. In a tree whose context only grows, the last token
// that a step sampled has never been run, so the next step's prompt computes that token and the observation after
// it, and nothing else. The least that a perfect cache computes for a tree, its unique prompt tokens, is therefore
// the opening context, plus for every node that was expanded its observation and one fed-back token.
//
// # New weights
//
// Reload loads other weights beside those that run. The loop then starts no request until those under way have
// ended, forgets all cells, and goes on with the new model: a request runs on one version from its first token to
// its last, and finds nothing that another version computed.
//
// # Seeds
//
// Token i of a sample is drawn with a number that depends on the sample's seed and on i alone. Attention sums
// along a path in pieces at fixed positions, so the logits it is drawn from depend on what is cached, forked or
// running beside it only through llama.cpp's matrix kernels. Those for Q8_0, Q4_0 and Q4_1 weights multiply
// integers row by row, and no difference was found; those for F16 and F32 weights sum in another order for one row
// than for many, and a draw within that rounding of a border takes the neighbour.
package embedded

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"sparkd"
	"sparkd/internal/settings"
)

// Options configure an Engine: its part of the section [engine] of the configuration.
type Options struct {
	Threads int `toml:"threads" default:"auto" zero:"auto" range:"1..1024"` // of a forward; 0 measures and picks
	// Cells are the KV cells, one per token held; 0 takes as many as suit the model and the memory.
	Cells int `toml:"cells" default:"auto" zero:"auto" range:"16..16777216"`
	Batch int `toml:"batch" default:"512" range:"16..4096"` // most tokens of a forward
	// PrefixCache shares prefixes within and between requests. It is off only to measure what it is worth.
	PrefixCache bool `toml:"prefix_cache" default:"true"`

	Model string // path of a GGUF
}

// maxSegments is the most sequences in one forward.
const maxSegments = 256

// Engine samples from one model. It implements sparkd.Reloader.
type Engine struct {
	loop  *loop
	about atomic.Pointer[sparkd.EngineInfo]
	share bool // prefixes

	// The same for all weights.
	context, blocks int

	submit    chan *request
	exchanges chan *exchange
	life      context.Context // ends with Close
	end       context.CancelFunc
	stopped   chan struct{} // closed when the loop has ended, with cause set
	cause     error

	load      func(ctx context.Context, w sparkd.Weights, base checkpoint) (backend, checkpoint, error)
	reloading chan struct{} // holds a token while Reload works, and from Close on
	base      checkpoint    // the model's file; reloading guards it

	close   sync.Once
	use     sync.RWMutex // held for reading while the vocabulary is read, for writing to exchange or free it
	backend backend      // the loop has its own reference
	freed   bool
}

var (
	_ sparkd.Reloader      = (*Engine)(nil)
	_ sparkd.StatsReporter = (*Engine)(nil)
)

// Open loads a model. Its errors have the code model or invalid, or are those of ctx.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if err := settings.Check("engine", &o).Err(); err != nil {
		return nil, err
	}
	l := &loader{options: modelOptions{threads: o.Threads, blocks: o.Cells / blockTokens, batch: o.Batch,
		segments: maxSegments}}
	m, base, err := l.load(ctx, sparkd.Weights{Path: o.Model}, checkpoint{})
	if err != nil {
		return nil, err
	}
	e := newEngine(m, o)
	e.load, e.base = l.load, base
	e.start()
	return e, nil
}

// newEngine makes an engine of an open backend, which is the engine's from now on.
func newEngine(b backend, o Options) *Engine {
	e := &Engine{
		backend:   b,
		loop:      newLoop(b, o),
		share:     o.PrefixCache,
		context:   b.contextLength(),
		blocks:    b.blocks(),
		submit:    make(chan *request),
		exchanges: make(chan *exchange),
		stopped:   make(chan struct{}),
		reloading: make(chan struct{}, 1),
	}
	e.life, e.end = context.WithCancel(context.Background())
	e.about.Store(e.describe(b))
	return e
}

// start runs the loop.
func (e *Engine) start() {
	go func() {
		defer close(e.stopped)
		e.cause = e.loop.run(e.submit, e.exchanges, e.life.Done())
	}()
}

func (e *Engine) describe(b backend) *sparkd.EngineInfo {
	info := b.info()
	info.ContextLength, info.Vocabulary = b.contextLength(), b.vocabulary()
	info.Cells = b.blocks() * blockTokens
	info.Capabilities = sparkd.Capabilities{
		TokenExact: true, Logprobs: sparkd.LogprobsBoth, Entropy: sparkd.EntropyFull,
		NativeK: true, TopK: b.vocabulary(), CachedCounts: true, Abort: true, Reload: true,
		Deterministic: "a seed repeats its tokens with Q8_0, Q4_0 and Q4_1 weights; " +
			"with others, unless the rounding of another batch shape tips a draw",
	}
	given := info.Settings
	info.Settings = map[string]any{"prefix_cache": e.share}
	maps.Copy(info.Settings, given)
	return &info
}

// Describe implements sparkd.Engine.
func (e *Engine) Describe() sparkd.EngineInfo { return *e.about.Load() }

// Stats implements sparkd.StatsReporter: the totals as of the last forward.
func (e *Engine) Stats() sparkd.EngineStats { return *e.loop.public.Load() }

// Tokenize implements sparkd.Engine.
func (e *Engine) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	e.use.RLock()
	defer e.use.RUnlock()
	if e.freed {
		return nil, errClosed
	}
	return e.backend.tokenize(text, control)
}

// Detokenize implements sparkd.Engine.
func (e *Engine) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	e.use.RLock()
	defer e.use.RUnlock()
	if e.freed {
		return "", errClosed
	}
	return e.backend.detokenize(ids), nil
}

// Sample implements sparkd.Engine. A caller that goes away gets its answer at once, and
// its blocks are free before the next forward.
func (e *Engine) Sample(ctx context.Context, r sparkd.SampleRequest) (result sparkd.SampleResult, err error) {
	req, err := e.admit(ctx, r)
	if err == nil {
		err = deliver(ctx, e, e.submit, req, req.done, ctx.Done())
	}
	if err == nil {
		err = req.err
	}
	if err != nil {
		return result, err
	}
	return req.result, nil
}

// deliver hands x to the loop and returns once it is done with it, or with an error when the caller gives up or the
// loop has ended. ctx bounds the first alone.
func deliver[T any](ctx context.Context, e *Engine, to chan<- T, x T, done, giveUp <-chan struct{}) error {
	select {
	case to <- x:
	case <-ctx.Done():
		return sparkd.AsError(ctx.Err())
	case <-e.stopped:
		return e.cause
	}
	select {
	case <-done:
	case <-giveUp:
		return sparkd.AsError(ctx.Err())
	case <-e.stopped: // and with that, done is closed or never will be
		select {
		case <-done:
		default:
			return e.cause
		}
	}
	return nil
}

// Close ends the requests and a Reload under way, stops the loop and frees the model.
// Further calls wait for the first and do nothing.
func (e *Engine) Close() error {
	e.close.Do(func() {
		e.end()
		<-e.stopped
		e.reloading <- struct{}{}
		e.use.Lock()
		defer e.use.Unlock()
		e.freed = true
		e.backend.close()
	})
	return nil
}

// admit checks r and copies what the caller might change.
func (e *Engine) admit(ctx context.Context, r sparkd.SampleRequest) (*request, error) {
	if err := r.Validate(e.about.Load()); err != nil {
		return nil, err
	}
	r.Prefix, r.Seeds = slices.Clone(r.Prefix), slices.Clone(r.Seeds)
	r.Sampling.Stop, r.Sampling.StopTokenIDs = slices.Clone(r.Sampling.Stop), slices.Clone(r.Sampling.StopTokenIDs)
	req := &request{ctx: ctx, SampleRequest: r, done: make(chan struct{})}
	req.limit = min(r.Sampling.MaxTokens, e.context-len(r.Prefix))
	req.result.Samples = make([]sparkd.Sample, r.K)
	if need, have := e.loop.need(req), e.blocks; need > have {
		need, have := need*blockTokens, have*blockTokens
		const remedy = "set engine.cells to %d or more, or lower sampling.max_tokens or the number of continuations"
		return nil, sparkd.NewError(sparkd.CodeCapacity, "engine.cells", fmt.Sprintf(remedy, need),
			"%d continuations of up to %d tokens after a prefix of %d need %d KV cells; there are %d",
			r.K, req.limit, len(r.Prefix), need, have)
	}
	return req, nil
}
