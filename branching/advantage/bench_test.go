package advantage

import (
	"testing"

	"sparkd"
)

// published has the shape of SPARK's request: 4 roots that each fork once, 8 leaves of 20
// steps, 40 tokens a step.
func published() *sparkd.Tree {
	t := seed()
	leaves := make([]int, 4)
	for depth := range 20 {
		for i := range leaves {
			leaves[i] = grow(t, leaves[i], "").ID
		}
		if depth == 4 || depth == 9 { // the first two roots, then the other two
			leaves = append(leaves, leaves[depth/5*2:depth/5*2+2]...)
		}
	}
	for i, leaf := range leaves {
		n := t.Nodes[leaf]
		n.Done, n.Outcome = true, sparkd.OutcomeFailure
		if i%3 == 0 {
			n.Outcome, n.Reward = sparkd.OutcomeSuccess, 1
		}
	}
	for _, n := range t.Nodes[1:] {
		s := sparkd.Span{Source: sparkd.SourceModel, Tokens: make([]sparkd.Token, 40), Logprobs: make([]float32, 40)}
		n.Spans = []sparkd.Span{s}
	}
	return t
}

func BenchmarkEstimate(b *testing.B) {
	group := []*sparkd.Tree{published()}
	for _, name := range Names() {
		b.Run(name, func(b *testing.B) {
			e, err := New(name, DefaultOptions())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Estimate(group); err != nil {
					b.Fatal(err)
				}
			}
			nodes := len(group[0].Nodes) - 1
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(nodes), "ns/node")
		})
	}
}
