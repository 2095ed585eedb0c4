package gguftest

import (
	"math/rand/v2"
	"strings"
)

// LoRA is a random adapter of all matrices in the layers of a model (Hu et al. 2021,
// arXiv 2106.09685): W + Alpha/Rank · B·A.
type LoRA struct {
	Rank  int
	Alpha float64
	Seed  uint64
}

func adapted(t tensor) bool { return strings.HasPrefix(t.name, "blk.") && len(t.dims) == 2 }

// halves are A and B of the matrix t.
func (l LoRA) halves(t tensor) (a, b tensor) {
	return tensor{t.name + ".lora_a", []int{t.dims[0], l.Rank}}, tensor{t.name + ".lora_b", []int{l.Rank, t.dims[1]}}
}

// Write writes the adapter for models of shape s.
func (l LoRA) Write(path string, s Shape) error {
	s = s.withDefaults()
	var ts []tensor
	for _, t := range s.tensors() {
		if adapted(t) {
			a, b := l.halves(t)
			ts = append(ts, a, b)
		}
	}
	meta := []entry{
		{"general.type", "adapter"}, {"general.architecture", s.Architecture}, {"adapter.type", "lora"},
		{"adapter.lora.alpha", float32(l.Alpha)},
	}
	r := rand.New(rand.NewPCG(l.Seed, 1))
	return write(path, meta, ts, func(t tensor) []float32 { return weights(t, s, r) })
}

// WriteMerged writes the model that [Write] writes, with the adapter added to its weights.
func (l LoRA) WriteMerged(path string, s Shape, seed uint64) error {
	s = s.withDefaults()
	r, mine := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(l.Seed, 1))
	return write(path, s.metadata(), s.tensors(), func(t tensor) []float32 {
		w := weights(t, s, r)
		if adapted(t) {
			a, b := l.halves(t)
			l.add(w, weights(a, s, mine), weights(b, s, mine), t.dims[0])
		}
		return w
	})
}

// add adds the product of b and a to w, which has rows of the given width.
func (l LoRA) add(w, a, b []float32, width int) {
	for i := range w {
		row, column, sum := i/width, i%width, 0.0
		for k := range l.Rank {
			sum += float64(b[row*l.Rank+k]) * float64(a[k*width+column])
		}
		w[i] += float32(l.Alpha / float64(l.Rank) * sum)
	}
}
