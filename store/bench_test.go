package store

import (
	"fmt"
	"sync/atomic"
	"testing"

	"sparkd"
)

// BenchmarkPutRound commits rounds of 8 nodes of 50 sampled and 30 environment tokens
// from many trees at once.
func BenchmarkPutRound(b *testing.B) {
	for _, sync := range []string{SyncOS, SyncRound, SyncAlways} {
		for _, trees := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d_trees", sync, trees), func(b *testing.B) {
				s := open(b, b.TempDir(), with(func(o *Options) { o.Sync, o.MinFree = sync, 1 }))
				var next atomic.Int64
				b.SetParallelism((trees + 1) / 2)
				if trees == 1 {
					b.SetParallelism(1)
				}
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					id := next.Add(1)
					if trees == 1 && id > 1 {
						return
					}
					rng := seeded(uint64(id))
					tree := testTree(fmt.Sprint("t", id, ".0"), "r")
					round := template(rng)
					for n := 1; pb.Next(); n++ {
						if len(tree.Nodes) > 240 { // 30 rounds a tree
							tree = testTree(fmt.Sprint("t", id, ".", n), "r")
						}
						first := len(tree.Nodes)
						tree.Nodes = append(tree.Nodes, copyRound(round, first)...)
						if err := s.PutRound(b.Context(), tree, first); err != nil {
							b.Fatal(err)
						}
					}
				})
				st, err := s.Stats(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(st.Nodes)/b.Elapsed().Seconds(), "steps/s")
				b.ReportMetric(float64(st.Rounds)/float64(st.Commits), "rounds/commit")
				tokens := float64(4 * (50*3 + 30))
				b.ReportMetric(float64(st.Bytes)/float64(st.Nodes)-tokens, "bytes/node_beyond_tokens")
			})
		}
	}
}

func template(rng interface{ IntN(int) int }) []*sparkd.Node {
	tree := testTree("t", "r")
	r := seeded(uint64(rng.IntN(1000)))
	addRound(tree, r, 1, 0)
	addRound(tree, r, 8, 50)
	return tree.Nodes[1:]
}

// copyRound renumbers a round to follow first nodes.
func copyRound(round []*sparkd.Node, first int) []*sparkd.Node {
	out := make([]*sparkd.Node, len(round))
	for i, n := range round {
		c := *n
		c.ID, c.Parent, c.Depth = first+i, 0, 1
		if c.ID == 0 {
			c.Parent, c.Depth = -1, 0
		}
		out[i] = &c
	}
	return out
}

// BenchmarkCompleted reads finished trees back.
func BenchmarkCompleted(b *testing.B) {
	s := open(b, b.TempDir(), testOptions())
	const trees = 300
	var size int64
	for i := range trees {
		tree := testTree(fmt.Sprint("t", i), "r")
		rng := seeded(uint64(i))
		for r := range 25 {
			first := addRound(tree, rng, 8, 50)
			if r == 24 {
				tree.State = sparkd.TreeDone
			}
			size += int64(len(encodeNodes(tree.Nodes[first:])))
			if err := s.PutRound(b.Context(), tree, first); err != nil {
				b.Fatal(err)
			}
		}
	}
	s = reopen(b, s)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for e, err := range s.Completed(b.Context(), Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(e.Tree.Nodes)
		}
		if n == 0 {
			b.Fatal("nothing read")
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	tree := testTree("t", "r")
	addRound(tree, seeded(1), 1, 0)
	addRound(tree, seeded(2), 8, 50)
	block := encodeNodes(tree.Nodes[1:])
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(block)))
		b.ReportAllocs()
		for b.Loop() {
			encodeNodes(tree.Nodes[1:])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(block)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeNodes(frameVersion, block, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
