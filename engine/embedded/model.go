//go:build cgo

package embedded

// #cgo CXXFLAGS: -std=c++17 -O3 -Wno-psabi
// #cgo CPPFLAGS: -I${SRCDIR}/include -DNDEBUG
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	// The blank import compiles llama.cpp and ggml into the binary.
	_ "github.com/ollama/ollama/llama/llama.cpp/src"

	"sparkd"
)

// model is a loaded GGUF with its KV store: the one implementation of backend that runs a real language model.
type model struct {
	c         *C.bridge_model
	opts      modelOptions
	facts     C.bridge_info
	deviation C.float // of the paged kernel from ggml's
	about     sparkd.EngineInfo
	pieces    [][]byte // text of every token
	ends      []bool   // tokens that end a generation
	control   []bool   // tokens that no plain text has
	bytePairs bool     // the kind of the tokenizer

	// Scratch of forward, kept between calls.
	segs    []C.bridge_segment
	path    []int32
	tokens  []int32
	failure C.bridge_error
}

func (m *model) info() sparkd.EngineInfo { return m.about }
func (m *model) blocks() int             { return m.opts.blocks }
func (m *model) maxBatch() int           { return m.opts.batch }
func (m *model) maxSegments() int        { return m.opts.segments }
func (m *model) vocabulary() int         { return int(m.facts.vocabulary) }
func (m *model) contextLength() int      { return int(m.facts.context) }

func (m *model) isEndOfGeneration(id sparkd.Token) bool {
	return id >= 0 && int(id) < len(m.ends) && m.ends[id]
}

// detokenizePiece returns the text of one token, maybe a part of a UTF-8 sequence; nil for an id outside the
// vocabulary.
func (m *model) detokenizePiece(id sparkd.Token) []byte {
	if id < 0 || int(id) >= len(m.pieces) {
		return nil
	}
	return m.pieces[id]
}

func (m *model) detokenize(ids []sparkd.Token) string {
	var b strings.Builder
	for _, id := range ids {
		b.Write(m.detokenizePiece(id))
	}
	return b.String()
}

// encode returns the ids that llama.cpp has for s.
func (m *model) encode(s string, control bool) ([]sparkd.Token, error) {
	if s == "" {
		return nil, nil
	}
	in := (*C.char)(unsafe.Pointer(unsafe.StringData(s)))
	out := make([]sparkd.Token, len(s)+8)
	var failure C.bridge_error
	for {
		var n C.int32_t
		to, size := (*C.int32_t)(unsafe.Pointer(&out[0])), C.int32_t(len(out))
		if C.bridge_tokenize(m.c, in, C.int32_t(len(s)), C.bool(control), to, size, &n, &failure) != C.BRIDGE_OK {
			return nil, sparkd.Errorf(sparkd.CodeEngine, "llama.cpp cannot tokenize a text of %d bytes: %s",
				len(s), text(&failure))
		}
		if int(n) <= len(out) {
			return out[:n:n], nil
		}
		out = make([]sparkd.Token, n)
	}
}

// forward computes the new tokens of segs in one pass through the model.
func (m *model) forward(segs []segment) error {
	m.segs, m.path, m.tokens = m.segs[:0], m.path[:0], m.tokens[:0]
	for _, s := range segs {
		c := C.bridge_segment{refs: C.int32_t(len(s.path)), new_tokens: C.int32_t(len(s.tokens))}
		if s.output {
			c.output = 1
		}
		m.segs = append(m.segs, c)
		for _, r := range s.path {
			m.path = append(m.path, r.block, r.n)
		}
		m.tokens = append(m.tokens, s.tokens...)
	}
	path, tokens := (*C.int32_t)(unsafe.SliceData(m.path)), (*C.int32_t)(unsafe.SliceData(m.tokens))
	count := C.int32_t(len(m.segs))
	if C.bridge_forward(m.c, unsafe.SliceData(m.segs), count, path, tokens, &m.failure) != C.BRIDGE_OK {
		return sparkd.Errorf(sparkd.CodeEngine, "the forward failed: %s", text(&m.failure))
	}
	return nil
}

func (m *model) logits(i int) []float32 {
	var at *C.float
	var failure C.bridge_error
	if C.bridge_logits(m.c, C.int32_t(i), &at, &failure) != C.BRIDGE_OK {
		panic("embedded: " + text(&failure)) // the loop's own mistake
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(at)), int(m.facts.vocabulary))
}

func (m *model) summarize(logits []float32, temperature float32) summary {
	var s C.bridge_summary
	C.bridge_summarize((*C.float)(unsafe.Pointer(&logits[0])), C.int32_t(len(logits)), C.float(temperature), &s)
	return summary{
		logZ: float64(s.log_z), logZT: float64(s.log_zt), entropy: float64(s.entropy), finite: bool(s.finite),
		best: float32(s.best), second: float32(s.second), bestID: int32(s.best_id),
	}
}

func (m *model) draw(logits []float32, temperature float32, s summary, u float64) sparkd.Token {
	c := C.bridge_summary{log_zt: C.double(s.logZT), best: C.float(s.best), best_id: C.int32_t(s.bestID)}
	at, n := (*C.float)(unsafe.Pointer(&logits[0])), C.int32_t(len(logits))
	return int32(C.bridge_draw(at, n, C.float(temperature), &c, C.double(u)))
}

func (m *model) close() {
	if m.c != nil {
		C.bridge_close(m.c)
		m.c = nil
	}
}

// buildFlags says what the kernels were compiled for.
func buildFlags() string { return C.GoString(C.bridge_build()) }

// BuildWarning says what a slow build lacks, or "" when the kernels were compiled as the Makefile compiles them.
func BuildWarning() string {
	if runtime.GOARCH == "amd64" && !strings.Contains(buildFlags(), "avx2") {
		return "the engine was compiled without AVX2 and runs about ten times slower; " +
			"build with make, which sets CGO_CFLAGS and CGO_CXXFLAGS"
	}
	return ""
}

// Quantize writes a copy of the GGUF at in with weights of another type (F32, F16, Q8_0, Q4_0, Q4_1, Q4_K_M).
func Quantize(in, out, weights string) error {
	a, b, c := C.CString(in), C.CString(out), C.CString(weights)
	defer C.free(unsafe.Pointer(a))
	defer C.free(unsafe.Pointer(b))
	defer C.free(unsafe.Pointer(c))
	var failure C.bridge_error
	if C.bridge_quantize(a, b, c, &failure) != C.BRIDGE_OK {
		return fmt.Errorf("quantize %s: %s", strconv.Quote(filepath.Base(in)), text(&failure))
	}
	return nil
}
