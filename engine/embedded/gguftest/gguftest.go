// Package gguftest writes small random language models as GGUF files, for tests and
// benchmarks that need a real engine but no trained model.
//
// The files follow the GGUF specification, version 3
// (github.com/ggml-org/ggml/blob/master/docs/gguf.md): Llama architecture, F32 weights, a
// byte-level vocabulary with control tokens, those of ChatML if nothing else is asked for, and a chat template.
package gguftest

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
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
	s.Width, s.Layers, s.Heads = cmp.Or(s.Width, Tiny.Width), cmp.Or(s.Layers, Tiny.Layers), cmp.Or(s.Heads, Tiny.Heads)
	s.KVHeads, s.FeedForward = cmp.Or(s.KVHeads, Tiny.KVHeads), cmp.Or(s.FeedForward, Tiny.FeedForward)
	s.Context, s.Vocabulary = cmp.Or(s.Context, Tiny.Context), cmp.Or(s.Vocabulary, Tiny.Vocabulary)
	s.Scale, s.Architecture = cmp.Or(s.Scale, Tiny.Scale), cmp.Or(s.Architecture, Tiny.Architecture)
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
		p := fmt.Sprintf("blk.%d.", i)
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
	w := bufio.NewWriterSize(f, 1<<20)
	e := &encoder{w: w}
	e.file(meta, ts, values)
	return errors.Join(e.err, w.Flush(), f.Close())
}

type encoder struct {
	w      io.Writer
	n      int     // bytes written
	fields []field // numbers by themselves: counts, lengths, types, values
	err    error
}

// field is where a number stands.
type field struct{ at, size int }

// put writes numbers and slices of them, and texts after their lengths.
func (e *encoder) put(values ...any) {
	for _, v := range values {
		switch v := v.(type) {
		case string:
			e.put(uint64(len(v)), []byte(v))
		case []string:
			for _, text := range v {
				e.put(text)
			}
		default:
			size := binary.Size(v)
			if reflect.TypeOf(v).Kind() != reflect.Slice {
				e.fields = append(e.fields, field{e.n, size})
			}
			e.err = cmp.Or(e.err, binary.Write(e.w, binary.LittleEndian, v))
			e.n += size
		}
	}
}

// pad fills up to a multiple of 32 bytes.
func (e *encoder) pad() { e.put(make([]byte, -e.n&31)) }

// Value types of the specification.
const (
	typeU8  uint32 = 0
	typeU32 uint32 = iota + 3
	typeI32
	typeF32
	typeBool
	typeString
	typeArray
	typeU64
	typeI64
	typeF64
)

// value writes a value of the metadata after its type.
func (e *encoder) value(value any) {
	switch v := value.(type) {
	case int:
		e.put(typeU32, uint32(v))
	case uint64:
		e.put(typeU64, v)
	case int32:
		e.put(typeI32, v)
	case float32:
		e.put(typeF32, v)
	case float64:
		e.put(typeF64, v)
	case bool:
		e.put(typeBool, v)
	case string:
		e.put(typeString, v)
	case []byte:
		e.put(typeArray, typeU8, uint64(len(v)), v)
	case []string:
		e.put(typeArray, typeString, uint64(len(v)), v)
	case []int32:
		e.put(typeArray, typeI32, uint64(len(v)), v)
	case []float32:
		e.put(typeArray, typeF32, uint64(len(v)), v)
	default:
		e.err = fmt.Errorf("no metadata of type %T", v)
	}
}

func (e *encoder) file(meta []entry, ts []tensor, values func(tensor) []float32) {
	e.put([]byte("GGUF"), uint32(3), uint64(len(ts)), uint64(len(meta)))
	for _, m := range meta {
		e.put(m.key)
		e.value(m.value)
	}
	offset := 0
	for _, t := range ts {
		e.put(t.name, uint32(len(t.dims)))
		for _, d := range t.dims {
			e.put(uint64(d))
		}
		e.put(uint32(0), uint64(offset)) // F32
		offset += (t.size()*4 + 31) &^ 31
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
