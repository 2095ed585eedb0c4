package bench_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"sparkd"
	"sparkd/bench"
	"sparkd/export"
	"sparkd/store"
)

// TestFiguresExport: how fast the trees of a large store are read, credited and written,
// and how much memory that takes, for a store and for one ten times as large. The figure
// is that of rows, the format of most lines.
func TestFiguresExport(t *testing.T) {
	bench.Wanted(t)
	const trees = 10_000
	dir := t.TempDir()
	s := openStore(t, dir)
	for i := range trees {
		if err := s.PutRound(t.Context(), storedTree(i), 0); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = openStore(t, dir) // without what writing left in memory
	defer closeStore(t, s)
	detail := map[string]any{"trees": trees, "leaves": 8, "steps": 20, "estimator": "spark-rows"}
	figure := 0.0
	for _, format := range []string{"rows", "tree", "verl", "atropos", "trl-sft"} {
		few := exportStore(t, s, format, trees/10)
		all := exportStore(t, s, format, trees)
		if format == "rows" {
			figure = all.rate
		}
		detail[format] = map[string]any{"mb_s": all.rate, "mb": all.mb, "peak_heap_mb": all.peak,
			"peak_heap_mb_of_1000_trees": few.peak}
	}
	bench.Print("export_store_mb_s", figure, "MB/s", detail)
}

type exported struct{ rate, mb, peak float64 }

// exportStore writes the first trees of a store to nowhere.
func exportStore(t *testing.T, s *store.Store, format string, trees int) exported {
	t.Helper()
	o := export.DefaultOptions()
	o.Format = format
	w, err := export.NewWriter(io.Discard, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := heapPeak()
	start := time.Now()
	for e, err := range s.Completed(t.Context(), store.Filter{Limit: trees}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write([]*sparkd.Tree{e.Tree}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	seconds := bench.Since(start)
	if m := w.Manifest(); m.Trees != trees {
		t.Fatalf("%d of %d trees exported", m.Trees, trees)
	}
	mb := float64(w.Bytes()) / 1e6
	return exported{mb / seconds, mb, stop()}
}

// heapPeak watches the heap until the function that it returns is called, which returns
// the most megabytes that were live or not yet collected, beyond those at the start.
func heapPeak() func() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	var peak atomic.Uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			case <-done:
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		<-ended
		return float64(max(peak.Load(), before)-before) / 1e6
	}
}

// storedTree is a tree of SPARK's published shape with prompts, outputs and observations
// of a usual length.
func storedTree(i int) *sparkd.Tree {
	rng := rand.New(rand.NewPCG(uint64(i), 7))
	t := forked(i)
	t.ID, t.Rollout = fmt.Sprintf("%026d", i), "bench"
	t.Task = sparkd.Task{Env: "household", Split: "train", Index: i}
	t.State, t.Round, t.Seed = sparkd.TreeDone, 20, uint64(i)
	t.Nodes[0].Spans = []sparkd.Span{{Source: sparkd.SourcePrompt, Tokens: randomTokens(rng, 300), TokenExact: true}}
	for _, n := range t.Nodes[1:] {
		n.Action, n.PolicyVersion, n.Finish = "go to sinkbasin 1", "w1", sparkd.FinishStop
		output := &n.Spans[0]
		output.Tokens, output.TokenExact = randomTokens(rng, 40), true
		for k := range output.Logprobs {
			output.Logprobs[k] = -float32(rng.ExpFloat64())
		}
		n.Spans = append(n.Spans, sparkd.Span{Source: sparkd.SourceEnv, Tokens: randomTokens(rng, 60),
			TokenExact: true})
	}
	return t
}

func randomTokens(rng *rand.Rand, n int) []sparkd.Token {
	ids := make([]sparkd.Token, n)
	for i := range ids {
		ids[i] = rng.Int32N(49152)
	}
	return ids
}
