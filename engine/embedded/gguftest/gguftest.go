// Package gguftest writes small random language models as GGUF files, for tests and
// benchmarks that need a real engine but no trained model.
//
// The files follow the GGUF specification, version 3
// (github.com/ggml-org/ggml/blob/master/docs/gguf.md): Llama architecture, F32 weights, a
// byte-level vocabulary with control tokens, those of ChatML if nothing else is asked for, and a chat template.
package gguftest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
)

// Shape is the size of a model. Its zero fields get Tiny's values.
type Shape struct {
	Width, Layers, Heads, KVHeads, FeedForward int
	Context                                    int
	Vocabulary                                 int     // at least 259; ids above the bytes are words of no text
	Scale                                      float64 // standard deviation of the weights
	Architecture                               string  // written to general.architecture
	// Control tokens, tags and chat template of sparkd's own policy, instead of ChatML's.
	Compact bool
	// Values instead of those of the shape; nil leaves the key out.
	Metadata map[string]any
}

// Tiny has about 150,000 parameters: a forward takes a fraction of a millisecond.
var Tiny = Shape{
	Width: 64, Layers: 2, Heads: 4, KVHeads: 2, FeedForward: 128, Context: 4096, Vocabulary: 320,
	Scale: 0.05, Architecture: "llama",
}

func (s Shape) withDefaults() Shape {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&s.Width, Tiny.Width)
	def(&s.Layers, Tiny.Layers)
	def(&s.Heads, Tiny.Heads)
	def(&s.KVHeads, Tiny.KVHeads)
	def(&s.FeedForward, Tiny.FeedForward)
	def(&s.Context, Tiny.Context)
	def(&s.Vocabulary, Tiny.Vocabulary)
	if s.Scale == 0 {
		s.Scale = Tiny.Scale
	}
	if s.Architecture == "" {
		s.Architecture = Tiny.Architecture
	}
	return s
}

type tensor struct {
	name string
	dims []int
}

func (t tensor) size() int {
	n := 1
	for _, d := range t.dims {
		n *= d
	}
	return n
}

func (s Shape) tensors() []tensor {
	w, kv, ff := s.Width, s.Width/s.Heads*s.KVHeads, s.FeedForward
	ts := []tensor{
		{"token_embd.weight", []int{w, s.Vocabulary}}, {"output_norm.weight", []int{w}},
		{"output.weight", []int{w, s.Vocabulary}},
	}
	for i := range s.Layers {
		p := "blk." + itoa(i) + "."
		ts = append(ts,
			tensor{p + "attn_norm.weight", []int{w}}, tensor{p + "attn_q.weight", []int{w, w}},
			tensor{p + "attn_k.weight", []int{w, kv}}, tensor{p + "attn_v.weight", []int{w, kv}},
			tensor{p + "attn_output.weight", []int{w, w}}, tensor{p + "ffn_norm.weight", []int{w}},
			tensor{p + "ffn_gate.weight", []int{w, ff}}, tensor{p + "ffn_up.weight", []int{w, ff}},
			tensor{p + "ffn_down.weight", []int{ff, w}})
	}
	return ts
}

// Write writes a model with weights drawn from seed.
func Write(path string, s Shape, seed uint64) error {
	s = s.withDefaults()
	r := rand.New(rand.NewPCG(seed, 0))
	return write(path, s.metadata(), s.tensors(), func(t tensor) []float32 { return weights(t, s, r) })
}

// write writes a GGUF; values are asked for in the order of ts.
func write(path string, meta []entry, ts []tensor, values func(tensor) []float32) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	e := &encoder{w: bufio.NewWriterSize(f, 1<<20)}
	e.file(meta, ts, values)
	err = e.w.Flush()
	if e.err != nil {
		err = e.err
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

type encoder struct {
	w   *bufio.Writer
	n   int // bytes written
	err error
}

func (e *encoder) put(v any) {
	if e.err == nil {
		e.err = binary.Write(e.w, binary.LittleEndian, v)
		e.n += binary.Size(v)
	}
}

func (e *encoder) str(s string) {
	e.put(uint64(len(s)))
	e.put([]byte(s))
}

func (e *encoder) pad() {
	if r := e.n % 32; r != 0 {
		e.put(make([]byte, 32-r))
	}
}

// Value types of the specification.
const (
	typeU32, typeI32, typeF32, typeBool, typeString, typeArray, typeU64 = 4, 5, 6, 7, 8, 9, 10
)

func (e *encoder) kv(key string, value any) {
	e.str(key)
	switch v := value.(type) {
	case int:
		e.put(uint32(typeU32))
		e.put(uint32(v))
	case uint64:
		e.put(uint32(typeU64))
		e.put(v)
	case int32:
		e.put(uint32(typeI32))
		e.put(v)
	case float32:
		e.put(uint32(typeF32))
		e.put(v)
	case bool:
		e.put(uint32(typeBool))
		e.put(v)
	case string:
		e.put(uint32(typeString))
		e.str(v)
	case []string:
		e.put([]uint32{typeArray, typeString})
		e.put(uint64(len(v)))
		for _, s := range v {
			e.str(s)
		}
	case []int32:
		e.put([]uint32{typeArray, typeI32})
		e.put(uint64(len(v)))
		e.put(v)
	case []float32:
		e.put([]uint32{typeArray, typeF32})
		e.put(uint64(len(v)))
		e.put(v)
	default:
		e.err = fmt.Errorf("no metadata of type %T", v)
	}
}

func (e *encoder) file(meta []entry, ts []tensor, values func(tensor) []float32) {
	e.put([]byte("GGUF"))
	e.put(uint32(3))
	e.put(uint64(len(ts)))
	e.put(uint64(len(meta)))
	for _, m := range meta {
		e.kv(m.key, m.value)
	}
	offset := 0
	for _, t := range ts {
		e.str(t.name)
		e.put(uint32(len(t.dims)))
		for _, d := range t.dims {
			e.put(uint64(d))
		}
		e.put(uint32(0)) // F32
		e.put(uint64(offset))
		offset += (t.size()*4 + 31) / 32 * 32
	}
	e.pad()
	for _, t := range ts {
		e.put(values(t))
		e.pad()
	}
}

// weights are normal; those of norms stand around 1, and a matrix is scaled by its input
// width so that activations keep their size.
func weights(t tensor, s Shape, r *rand.Rand) []float32 {
	out := make([]float32, t.size())
	scale, mean := s.Scale*math.Sqrt(float64(Tiny.Width)/float64(t.dims[0])), 0.0
	if len(t.dims) == 1 {
		scale, mean = 0.1, 1
	}
	for i := range out {
		out[i] = float32(mean + scale*r.NormFloat64())
	}
	return out
}
