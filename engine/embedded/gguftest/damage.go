package gguftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Damaged returns a small model of which one to three things are wrong, and says what. A seed always gives the same.
func Damaged(seed uint64) (file []byte, what string) {
	d := &damage{r: rand.New(rand.NewPCG(seed, 7))}
	s := d.shape().withDefaults()
	d.meta, d.tensors = s.metadata(), s.tensors()
	kinds := []func(){d.value, d.value, d.value, d.value, d.list, d.list, d.list, d.weight, d.weight, d.tensor,
		d.number, d.number, d.flip, d.cut}
	for range one(d.r, 1, 1, 1, 2, 3) {
		kinds[d.r.IntN(len(kinds))]()
	}
	var b bytes.Buffer
	e := &encoder{w: &b}
	values := rand.New(rand.NewPCG(seed, 8))
	e.file(d.meta, d.tensors, func(t tensor) []float32 {
		w := weights(t, s, values)
		for _, change := range d.weights {
			change(w)
		}
		return w
	})
	file = b.Bytes()
	for _, change := range d.bytes {
		file = change(file, e.fields)
	}
	return file, strings.Join(d.what, "; ")
}

type damage struct {
	r       *rand.Rand
	meta    []entry
	tensors []tensor
	weights []func([]float32)
	bytes   []func(file []byte, fields []field) []byte
	what    []string
}

func (d *damage) says(format string, args ...any) {
	d.what = append(d.what, fmt.Sprintf(format, args...))
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// shape is a model with some vocabulary.
func (d *damage) shape() Shape {
	v := Vocabulary{Model: one(d.r, "gpt2", "llama", "t5", ""), Blank: d.r.IntN(2) == 0,
		Pre:     one(d.r, "", "gpt-2", "llama-bpe", "qwen2", "deepseek-v3", "tekken"),
		Control: []string{"<|im_start|>", "<|im_end|>"}, Words: []string{"▁hello", ".\n", "▁▁"}}
	s := Shape{}
	if v.Model != "" {
		s = v.Shape()
	}
	s.Width, s.Layers, s.Heads, s.KVHeads, s.FeedForward = 32, 1+d.r.IntN(2), 2, 1, 32
	s.Architecture = "llama"
	if d.r.IntN(4) == 0 {
		s.Architecture = one(d.r, "qwen2", "gemma", "phi3", "gpt2", "olmo2", "stablelm", "mamba")
	}
	return s
}

// hostile numbers and texts.
var (
	hostileInts = []uint64{0, 1, 2, 3, 7, 255, 1 << 16, 1<<20 + 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 33, 1 << 62,
		math.MaxUint64}
	hostileFloats = []float64{0, -1, 1e-30, 1e30, math.Inf(1), math.NaN()}
	hostileTexts  = []string{"", "x", "llama", "gpt2", "bert", "t5", "rwkv", "none", "no_vocab", "plamo2", "\xff\xfe",
		"a\x00b", "yarn", "linear", "longrope", "mamba", "deepseek2", "{% for x in y %}",
		strings.Repeat("<|im_end|>", 1<<12)}
)

// moreKeys are what a model may say besides.
var moreKeys = strings.Fields(`general.alignment llama.expert_count llama.expert_used_count llama.attention.key_length
	llama.attention.value_length llama.rope.scaling.type llama.rope.scaling.factor split.count split.no
	llama.logit_scale llama.rope.scaling.original_context_length llama.attention.sliding_window
	llama.leading_dense_block_count
	tokenizer.ggml.eot_token_id tokenizer.ggml.precompiled_charsmap tokenizer.ggml.token_type_count
	tokenizer.ggml.remove_extra_whitespaces`)

// anyValue is a value of any type.
func (d *damage) anyValue() any {
	n := one(d.r, hostileInts...)
	size := int(one(d.r, 0, 1, 2, 5, 320, 1<<16))
	switch d.r.IntN(10) {
	case 0, 1, 2:
		return int(uint32(n))
	case 3:
		return n
	case 4:
		return int32(n)
	case 5:
		return float32(one(d.r, hostileFloats...))
	case 6:
		return d.r.IntN(2) == 0
	case 7:
		return one(d.r, hostileTexts...)
	case 8:
		return slices.Repeat([]int32{int32(n)}, size)
	}
	return slices.Repeat([]string{one(d.r, hostileTexts[:16]...)}, size)
}

// value changes a value of the metadata, takes it away or adds one.
func (d *damage) value() {
	i := d.r.IntN(len(d.meta))
	e := &d.meta[i]
	switch d.r.IntN(8) {
	case 0:
		d.says("no %s", e.key)
		d.meta = slices.Delete(d.meta, i, i+1)
	case 1:
		key, v := one(d.r, moreKeys...), d.anyValue()
		d.says("%s = %.40v", key, v)
		d.meta = append(d.meta, entry{key, v})
	default:
		e.value = d.sameType(e.value)
		d.says("%s = %.40v", e.key, e.value)
	}
}

// sameType is another value, mostly of the type of v.
func (d *damage) sameType(v any) any {
	switch v.(type) {
	case int:
		if d.r.IntN(4) > 0 {
			return int(uint32(one(d.r, hostileInts...)))
		}
	case float32:
		if d.r.IntN(4) > 0 {
			return float32(one(d.r, hostileFloats...))
		}
	case string:
		if d.r.IntN(4) > 0 {
			return one(d.r, hostileTexts...)
		}
	}
	return d.anyValue()
}

// list changes an element of a list of the metadata, or its length.
func (d *damage) list() {
	i := slices.IndexFunc(d.meta, func(e entry) bool {
		switch e.value.(type) {
		case []string, []int32, []float32:
			return d.r.IntN(3) == 0
		}
		return false
	})
	if i < 0 {
		return
	}
	e := &d.meta[i]
	switch v := e.value.(type) {
	case []string:
		words := append([]string{"<unk>", "</s>", " ", "a", "a b c", "▁", strings.Repeat("a", 1<<15)}, hostileTexts...)
		e.value = changed(d, v, one(d.r, words...))
	case []int32:
		e.value = changed(d, v, int32(one(d.r, hostileInts...)))
	case []float32:
		e.value = changed(d, v, float32(one(d.r, hostileFloats...)))
	}
	d.says("a list in %s", e.key)
}

func changed[T any](d *damage, list []T, to T) []T {
	list = slices.Clone(list)
	if len(list) == 0 {
		return append(list, to)
	}
	at := d.r.IntN(len(list))
	switch d.r.IntN(6) {
	case 0:
		return list[:at]
	case 1:
		return append(list, to)
	case 2:
		return slices.Repeat([]T{to}, len(list))
	default:
		list[at] = to
	}
	return list
}

// tensor takes a tensor away, renames or reshapes it.
func (d *damage) tensor() {
	d.tensors = slices.Clone(d.tensors)
	i := d.r.IntN(len(d.tensors))
	t := &d.tensors[i]
	t.dims = slices.Clone(t.dims)
	d.says("tensor %s", t.name)
	switch d.r.IntN(6) {
	case 0:
		d.tensors = slices.Delete(d.tensors, i, i+1)
	case 1:
		t.name = one(d.r, "", "x", t.name+"x", d.tensors[0].name, strings.Repeat("n", 100))
	case 2:
		t.dims = append(t.dims, one(d.r, 1, 2))
	case 3:
		slices.Reverse(t.dims)
	default:
		t.dims[d.r.IntN(len(t.dims))] = one(d.r, 0, 1, 16, 31, 64, 320)
	}
}

// number writes another number in the place of one: a count, a length, a type, a dimension, a value.
func (d *damage) number() {
	n, at := one(d.r, hostileInts...), d.r.Uint64()
	d.says("a number is %d", n)
	d.bytes = append(d.bytes, func(file []byte, fields []field) []byte {
		// Those of lists of texts are by far the most, and stand together in the middle.
		part := fields
		switch k := min(40, len(fields)); at % 4 {
		case 0:
			part = fields[:k]
		case 1, 2:
			part = fields[len(fields)-k:]
		}
		f := part[at/4%uint64(len(part))]
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		if f.at+f.size <= len(file) {
			copy(file[f.at:f.at+f.size], b[:])
		}
		return file
	})
}

// flip turns some bits of the first part of the file.
func (d *damage) flip() {
	seed := d.r.Uint64()
	d.says("some bits")
	d.bytes = append(d.bytes, func(file []byte, fields []field) []byte {
		r := rand.New(rand.NewPCG(seed, 0))
		for range 1 + r.IntN(20) {
			file[r.IntN(min(len(file), fields[len(fields)-1].at+8))] ^= 1 << r.IntN(8)
		}
		return file
	})
}

// cut ends the file early.
func (d *damage) cut() {
	part := d.r.Float64()
	d.says("cut after %.3f", part)
	d.bytes = append(d.bytes, func(file []byte, _ []field) []byte {
		return file[:max(4, int(part*float64(len(file))))]
	})
}

// weight makes a weight of each tensor a number that does not occur.
func (d *damage) weight() {
	at, x := d.r.Uint64(), float32(one(d.r, hostileFloats...))
	d.says("weights of %v", x)
	d.weights = append(d.weights, func(w []float32) {
		if len(w) > 0 {
			w[at%uint64(len(w))] = x
		}
	})
}
