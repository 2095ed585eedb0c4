//go:build cgo

package embedded

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
)

// endless is a model whose texts never end, so that a measurement generates as many
// tokens as it says.
type endless struct{ *model }

func (endless) isEndOfGeneration(sparkd.Token) bool { return false }

func measured(t *testing.T, path string, cells int) *Engine {
	t.Helper()
	m, err := openFile(path, modelOptions{blocks: cells / blockTokens, batch: 512, segments: maxSegments})
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(endless{m}, sharing)
	e.start()
	t.Cleanup(func() { e.Close() })
	return e
}

// scrambled is n token ids that follow no pattern a cache could know; salt makes others.
func scrambled(n, salt int) []sparkd.Token {
	out := make([]sparkd.Token, n)
	for i := range out {
		out[i] = int32((i*7919+salt*104729+13)%40000 + 10)
	}
	return out
}

func draw(t *testing.T, e *Engine, tree string, prefix []sparkd.Token, k, tokens int) sparkd.SampleResult {
	t.Helper()
	s := sparkd.DefaultSampling()
	s.MaxTokens = tokens
	seeds := make([]uint64, k)
	for i := range seeds {
		seeds[i] = sparkd.Mix(1, uint64(len(prefix)), uint64(prefix[len(prefix)-1]), uint64(i))
	}
	r, err := e.Sample(t.Context(), sparkd.SampleRequest{Prefix: prefix, K: k, Sampling: s, Seeds: seeds, Tree: tree})
	if err != nil {
		t.Error(err)
		return sparkd.SampleResult{Samples: make([]sparkd.Sample, k)}
	}
	return r
}

// TestFigures measures the engine. Every ratio is of numbers from the same run.
func TestFigures(t *testing.T) {
	path := bench.Model(t)
	dir := t.TempDir()
	models := []struct{ weights, path string }{{"as shipped", path}}
	for _, w := range []string{"Q4_0", "Q8_0"} {
		to := filepath.Join(dir, w+".gguf")
		if err := Quantize(path, to, w); err != nil {
			t.Fatal(err)
		}
		models = append(models, struct{ weights, path string }{w, to})
	}
	for _, m := range models {
		e := measured(t, m.path, 16384)
		if m.weights == "as shipped" {
			figureForks(t, e)
			figureLeaves(t, e)
		}
		figureWorkload(t, e, m.weights)
		e.Close()
	}
	figureTrees(t, models[1].path)
}

// figureForks: what a fork of a 512-token prefix costs, beside its prefill.
func figureForks(t *testing.T, e *Engine) {
	salt := 100
	cold, all := bench.Best(5, func() { salt++; draw(t, e, "p", scrambled(512, salt), 1, 1) })
	bench.Print("prefill_512_ms", cold.Seconds()*1000, "ms",
		map[string]any{"weights": e.Describe().WeightType, "threads": e.Describe().Threads, "runs_s": all})

	// The fork itself: a sequence that refers to the prefix. It happens on the loop's
	// goroutine, so a loop of its own is built around an idle backend.
	l := newLoop(e.backend, Options{PrefixCache: true})
	const forks = 1000
	p := &prefill{req: &request{SampleRequest: sparkd.SampleRequest{K: forks}, limit: 1}, path: blocksFrom(0, 512),
		samples: make([]int, forks)}
	fork, _ := bench.Best(20, func() { l.fork(p); l.live = l.live[:0] })
	prefix := scrambled(512, 99)
	draw(t, e, "f", prefix, 1, 1)
	one, _ := bench.Best(9, func() { draw(t, e, "f", prefix, 1, 1) })
	many, _ := bench.Best(9, func() { draw(t, e, "f", prefix, 33, 1) })
	bench.Print("fork_us", fork.Seconds()*1e6/forks, "us", map[string]any{
		"prefix": 512, "with_first_token_drawn_us": (many - one).Seconds() * 1e6 / 32,
		"prefill_over_fork": cold.Seconds() / (fork.Seconds() / forks)})
}

// figureLeaves: tokens a second with 1, 8 and 32 live leaves behind one 512-token prefix.
func figureLeaves(t *testing.T, e *Engine) {
	prefix := scrambled(512, 7)
	draw(t, e, "l", prefix, 1, 1)
	for _, k := range []int{1, 8, 32} {
		const tokens = 48
		best, all := bench.Best(3, func() { draw(t, e, "l", prefix, k, tokens) })
		bench.Print(fmt.Sprintf("tok_s_%d", k), float64(k*tokens)/best.Seconds(), "tokens/s",
			map[string]any{"weights": e.Describe().WeightType, "prefix": 512, "tokens": tokens, "runs_s": all})
	}
}

// figureWorkload is workload W: a preamble of 400 tokens, 4 roots, 12 steps of 24
// generated and 30 environment tokens, 4 forks to 8 leaves. The limit is the time of all
// its tokens at the engine's own 512-token prefill speed, measured right before and after.
func figureWorkload(t *testing.T, e *Engine, weights string) {
	before := prefillSpeed(t, e, 200)
	gen, prompt, took := 0, 0, 0.0
	for run := range 2 {
		g, p, s := workload(t, e, "w", 300+run)
		if took == 0 || s < took {
			gen, prompt, took = g, p, s
		}
	}
	speed := max(before, prefillSpeed(t, e, 210))
	limit := float64(gen) / (float64(gen+prompt) / speed)
	rate := float64(gen) / took
	detail := map[string]any{"weights": e.Describe().WeightType, "model": weights, "generated": gen,
		"prompt_computed": prompt, "seconds": took,
		"prefill_tok_s": speed, "limit_tok_s": limit, "threads": e.Describe().Threads}
	bench.Print("workload_w_tok_s", rate, "tokens/s", detail)
	bench.Print("workload_w_of_limit", rate/limit, "ratio", detail)
}

func prefillSpeed(t *testing.T, e *Engine, salt int) float64 {
	best, _ := bench.Best(4, func() { salt++; draw(t, e, "s", scrambled(512, salt), 1, 1) })
	return 512 / best.Seconds()
}

func workload(t *testing.T, e *Engine, tree string, salt int) (generated, computed int, seconds float64) {
	forks := map[int]int{2: 1, 3: 1, 5: 1, 7: 1}
	count := func(r sparkd.SampleResult) {
		computed += r.ComputedTokens
		for _, s := range r.Samples {
			generated += len(s.Tokens)
		}
	}
	started := time.Now()
	opening := scrambled(400, salt)
	roots := draw(t, e, tree, opening, 4, 24)
	count(roots)
	var leaves [][]sparkd.Token
	for _, s := range roots.Samples {
		leaves = append(leaves, slices.Concat(opening, s.Tokens, scrambled(30, salt+1)))
	}
	for step := 1; step < 12; step++ {
		ks := make([]int, len(leaves))
		for i := range ks {
			ks[i] = 1
		}
		ks[0] += forks[step-1]
		results := make([]sparkd.SampleResult, len(leaves))
		var wg sync.WaitGroup
		for i := range leaves {
			wg.Go(func() { results[i] = draw(t, e, tree, leaves[i], ks[i], 24) })
		}
		wg.Wait()
		var next [][]sparkd.Token
		for i, r := range results {
			count(r)
			for _, s := range r.Samples {
				next = append(next, slices.Concat(leaves[i], s.Tokens, scrambled(30, salt+1)))
			}
		}
		leaves = next
	}
	return generated, computed, bench.Since(started)
}

// figureTrees compares tokens a second with 64 trees alive and with 1, at 8 live leaves
// per forward: each tree has a 512-token prefix of its own, and with 64 trees the turn goes
// round them. The two are measured in turns and compared pair by pair.
func figureTrees(t *testing.T, path string) {
	const trees, leaves, tokens = 64, 8, 24
	e := measured(t, path, 65536)
	prefixes := make([][]sparkd.Token, trees)
	for i := range prefixes {
		prefixes[i] = scrambled(512, 1000+i)
		draw(t, e, fmt.Sprint(i), prefixes[i], 1, 1)
	}
	lone := measured(t, path, 65536)
	draw(t, lone, "0", prefixes[0], 1, 1)
	rate := func(e *Engine, tree int) float64 {
		start := time.Now()
		draw(t, e, fmt.Sprint(tree), prefixes[tree], leaves, tokens)
		return leaves * tokens / bench.Since(start)
	}
	var ratios, many []float64
	for i := range 24 {
		one := rate(lone, 0)
		all := rate(e, i*trees/24)
		ratios, many = append(ratios, all/one), append(many, all)
	}
	slices.Sort(ratios)
	slices.Sort(many)
	bench.Print("many_trees", ratios[len(ratios)/2], "ratio",
		map[string]any{"trees": trees, "live_leaves": leaves, "prefix": 512,
			"tok_s_64_trees": many[len(many)/2], "pairs": len(ratios),
			"low": ratios[len(ratios)/10], "high": ratios[len(ratios)*9/10],
			"cells_used": 512 * trees, "weights": e.Describe().WeightType, "procs": runtime.GOMAXPROCS(0)})
}
