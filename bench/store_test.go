package bench_test

import (
	"io"
	"testing"

	"sparkd"
	"sparkd/bench"
	"sparkd/export"
	"sparkd/internal/settings"
	"sparkd/sampler"
	"sparkd/store"
)

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, settings.Default[store.Options]())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// figureOverhead: steps a second through the branching policy, the sampler and the
// committed store, where neither the engine nor the environment costs anything. Short
// answers and texts leave the cost of a step alone.
func figureOverhead(t *testing.T) {
	const trees, parallel = 400, 64
	spec := published(30, 8)
	steps := 0
	var counts store.Stats
	best, all := bench.Best(3, func() {
		s := openStore(t, t.TempDir())
		defer closeStore(t, s)
		d := sampler.Deps{Engine: newInstant(8, 8), Template: sampler.NewTemplate("", "", "", true),
			Prompt: sampler.Prompt{Terse: true}, OpenEnv: openRoom, Commit: s.PutRound}
		steps = total(grow(t, d, spec, 0, trees, parallel)).Nodes
		var err error
		if counts, err = s.Stats(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	bench.Print("steps_s", float64(steps)/best.Seconds(), "steps/s",
		map[string]any{"trees": trees, "parallel": parallel, "steps": steps,
			"rounds": counts.Rounds, "commits": counts.Commits,
			"answer_tokens": 8, "observation_tokens": 8, "max_steps": 30,
			"sync": store.SyncRound, "runs_s": all, "includes": "opening and closing the store"})
}

// figureStore grows 320 trees of SPARK's published shape in the household, whose texts,
// lists of actions and per-token numbers are as long as a real run's, into a store. It
// says what a node takes there, and how fast the trees leave it as JSON lines.
func figureStore(t *testing.T) {
	const trees, answer = 320, 40
	dir := t.TempDir()
	s := openStore(t, dir)
	empty, err := s.SizeOnDisk()
	if err != nil {
		t.Fatal(err)
	}
	d := sampler.Deps{Engine: newInstant(answer, 1<<20), Template: sampler.NewTemplate("", "", "", true),
		OpenEnv: openWanderer, Commit: s.PutRound}
	grown := grow(t, d, published(30, answer), 0, trees, 64)
	counts, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openStore(t, dir)
	defer closeStore(t, s)
	disk, err := s.SizeOnDisk()
	if err != nil {
		t.Fatal(err)
	}
	printNodeBytes(grown, counts, disk-empty)
	figureExport(t, s, trees)
}

// printNodeBytes prints what a node takes beyond its tokens, each at 4 bytes for the id
// and 4 for each of its numbers: by what was written, before Badger compresses it, or by
// the size of the folder, whichever is more. What is written are nodes with their texts,
// the header of a tree once a round, and events.
func printNodeBytes(trees []*sparkd.Tree, counts store.Stats, disk int64) {
	tokens, arrays, text := 0, 0, 0
	for _, t := range trees {
		for _, n := range t.Nodes {
			for _, s := range n.Spans {
				tokens += len(s.Tokens)
				arrays += len(s.Tokens) + len(s.Logprobs) + len(s.SampledLogprobs) + len(s.Entropies)
				text += len(s.Text)
			}
		}
	}
	nodes := float64(counts.Nodes)
	written, onDisk := float64(counts.Bytes)/nodes, float64(disk)/nodes
	own := 4 * float64(arrays) / nodes
	bench.Print("node_bytes", max(written, onDisk)-own, "bytes",
		map[string]any{"nodes": counts.Nodes, "trees": len(trees), "tokens_per_node": float64(tokens) / nodes,
			"token_bytes": own, "written": written, "on_disk": onDisk,
			"beyond_tokens_written": written - own, "beyond_tokens_on_disk": onDisk - own,
			"text_per_node": float64(text) / nodes,
			"method": "(stored bytes − 4 · (token ids + logprobs + entropies)) / nodes; " +
				"texts, headers and events count"})
}

// figureExport reads all finished trees from the store and writes them, to nowhere, in
// formats tree and rows. The figure is the slower of the two.
func figureExport(t *testing.T, s *store.Store, trees int) {
	slowest, which := 0.0, ""
	detail := map[string]any{"trees": trees}
	for _, format := range []string{"tree", "rows"} {
		var bytes int64
		best, all := bench.Best(3, func() { bytes = exportAll(t, s, format, trees) })
		rate := float64(bytes) / 1e6 / best.Seconds()
		detail[format+"_mb_s"], detail[format+"_mb"], detail[format+"_runs_s"] = rate, float64(bytes)/1e6, all
		if which == "" || rate < slowest {
			slowest, which = rate, format
		}
	}
	detail["format"] = which
	bench.Print("export_mb_s", slowest, "MB/s", detail)
}

func exportAll(t *testing.T, s *store.Store, format string, trees int) int64 {
	o := export.DefaultOptions()
	o.Format = format
	w, err := export.NewWriter(io.Discard, o)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range s.Completed(t.Context(), store.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write([]*sparkd.Tree{e.Tree}); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n != trees {
		t.Fatalf("%d of %d trees exported", n, trees)
	}
	return w.Bytes()
}
