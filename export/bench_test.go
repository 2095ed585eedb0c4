package export

import (
	"io"
	"math/rand/v2"
	"strconv"
	"testing"

	"sparkd"
)

// publishedTree has the shape of a SPARK tree (M 4, N 8) of 30 steps with outputs of
// 40 tokens and observations of 60 behind a context of 600.
func publishedTree(rng *rand.Rand) *sparkd.Tree {
	opening := []sparkd.Span{randomTokens(rng, sparkd.SourcePrompt, 600)}
	t := &sparkd.Tree{ID: "01K0TREE000000000000000000", Rollout: "01K0ROLL000000000000000000",
		Task: sparkd.Task{Env: "household", Split: "train", Index: 17}, Goal: "put a mug in the sink",
		State: sparkd.TreeDone, Nodes: []*sparkd.Node{{Parent: -1, Spans: opening}}}
	leaves := []int{0, 0, 0, 0}
	for depth := 1; depth <= 30; depth++ {
		if depth == 3 || depth == 6 || depth == 9 || depth == 12 {
			leaves = append(leaves, leaves[rng.IntN(len(leaves))])
		}
		for i, parent := range leaves {
			n := &sparkd.Node{ID: len(t.Nodes), Parent: parent, Depth: depth, Round: depth,
				Valid: true, Action: "go to sinkbasin 1", ObsHash: "0123456789abcdef", Finish: sparkd.FinishStop,
				PolicyVersion: "w1", Signals: sparkd.Signals{Tags: []string{"think"}}, Spans: []sparkd.Span{
					randomTokens(rng, sparkd.SourceModel, 40), randomTokens(rng, sparkd.SourceEnv, 60)}}
			if depth == 30 {
				n.Done, n.Outcome = true, sparkd.OutcomeStepLimit
			}
			t.Nodes = append(t.Nodes, n)
			leaves[i] = n.ID
		}
	}
	return t
}

func randomTokens(rng *rand.Rand, source sparkd.Source, n int) sparkd.Span {
	s := sparkd.Span{Source: source, TokenExact: true}
	for range n {
		s.Tokens = append(s.Tokens, rng.Int32N(49152))
		if source == sparkd.SourceModel {
			s.Logprobs = append(s.Logprobs, -float32(rng.ExpFloat64()))
		}
	}
	return s
}

func BenchmarkWriteTree(b *testing.B)       { benchmark(b, "tree", "copies") }
func BenchmarkWriteRows(b *testing.B)       { benchmark(b, "rows", "copies") }
func BenchmarkWriteUniqueRows(b *testing.B) { benchmark(b, "rows", "unique") }

func benchmark(b *testing.B, format, dedupe string) {
	o := DefaultOptions()
	o.Format, o.Dedupe = format, dedupe
	group := []*sparkd.Tree{publishedTree(rand.New(rand.NewPCG(1, 1)))}
	b.SetBytes(int64(len(export(b, o, group))))
	w, err := NewWriter(io.Discard, o)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(group); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkNumbers compares the numbers written by hand with those of strconv: what the
// former save is why they are there.
func BenchmarkNumbers(b *testing.B) {
	span := randomTokens(rand.New(rand.NewPCG(1, 1)), sparkd.SourceModel, 1024)
	for _, c := range []struct {
		name  string
		write func([]byte) []byte
	}{
		{"tokens", func(out []byte) []byte { return appendTokens(out, span.Tokens) }},
		{"tokens/strconv", func(out []byte) []byte { return appendInts(out, span.Tokens) }},
		{"floats", func(out []byte) []byte { return appendFloats(out, span.Logprobs) }},
		{"floats/strconv", func(out []byte) []byte { return appendShortest(out, span.Logprobs) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var out []byte
			for b.Loop() {
				out = c.write(out[:0])
			}
			b.SetBytes(int64(len(out)))
		})
	}
}

func appendInts(out []byte, ids []sparkd.Token) []byte {
	for _, id := range ids {
		out = append(strconv.AppendInt(out, int64(id), 10), ',')
	}
	return out
}

func appendShortest(out []byte, values []float32) []byte {
	for _, x := range values {
		out = append(strconv.AppendFloat(out, float64(x), 'g', -1, 32), ',')
	}
	return out
}
