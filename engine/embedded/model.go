//go:build cgo

package embedded

// #cgo CXXFLAGS: -std=c++17 -O3 -Wno-psabi
// #cgo CPPFLAGS: -I${SRCDIR}/include -DNDEBUG
// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	// The blank import compiles llama.cpp and ggml into the binary.
	_ "github.com/ollama/ollama/llama/llama.cpp/src"

	"sparkd"
)

// model is a loaded GGUF with its KV store: the one implementation of backend that runs
// a real language model. It is used by one goroutine, except for the vocabulary
// (tokenize, detokenize, detokenizePiece, isEndOfGeneration), which never changes.
type model struct {
	c      *C.bridge_model
	opts   modelOptions
	facts  C.bridge_info
	about  sparkd.EngineInfo
	pieces [][]byte // text of every token

	// Scratch of forward, kept between calls.
	segs   []C.bridge_segment
	path   []int32
	tokens []int32
}

// openModel loads w. A failed load leaves nothing behind.
func openModel(ctx context.Context, w weights, o modelOptions) (backend, error) {
	threads, most := o.threads, o.threads
	if threads == 0 {
		threads, most = 1, runtime.NumCPU()
	}
	opts := C.bridge_options{threads: C.int32_t(threads), most_threads: C.int32_t(most), batch: C.int32_t(o.batch), segments: C.int32_t(o.segments), plain: C.bool(o.plain)}
	opts.path = C.CString(w.model.path)
	defer C.free(unsafe.Pointer(opts.path))
	if w.adapter.path != "" {
		opts.adapter = C.CString(w.adapter.path)
		defer C.free(unsafe.Pointer(opts.adapter))
	}
	var cancel atomic.Int32
	defer context.AfterFunc(ctx, func() { cancel.Store(1) })()
	var pin runtime.Pinner
	pin.Pin(&cancel)
	defer pin.Unpin()
	opts.cancel = (*C.int32_t)(unsafe.Pointer(&cancel))

	m := &model{opts: o}
	var why [1024]C.char
	code := C.bridge_open(&opts, &m.c, &why[0], C.size_t(len(why)))
	if code == C.BRIDGE_CANCELED {
		return nil, sparkd.AsError(ctx.Err())
	}
	if code == C.BRIDGE_OK {
		if o.blocks == 0 {
			m.opts.blocks = roomFor(int64(C.bridge_block_bytes(m.c)), availableMemory(os.DirFS("/")))
		}
		code = C.bridge_store(m.c, C.int32_t(m.opts.blocks), &why[0], C.size_t(len(why)))
	}
	if code != C.BRIDGE_OK {
		m.close()
		return nil, loadError(w, int(code), strings.TrimSpace(C.GoString(&why[0])))
	}
	C.bridge_describe(m.c, &m.facts)
	m.spell()
	if err := m.describe(ctx, w); err != nil {
		m.close()
		return nil, err
	}
	if o.threads == 0 {
		threads = m.pickThreads()
	}
	m.about.Threads = threads
	return m, nil
}

func loadError(w weights, code int, why string) error {
	e := &sparkd.Error{Code: sparkd.CodeModel, Field: "engine.model", Err: errors.New(why)}
	base := filepath.Base(w.model.path)
	switch {
	case code == C.BRIDGE_ADAPTER:
		e.Message, e.Remedy = filepath.Base(w.adapter.path)+" is no LoRA adapter for "+base+": "+firstLine(why), "convert an adapter of this model with llama.cpp's convert_lora_to_gguf.py"
	case code == C.BRIDGE_COMPUTE:
		e.Message, e.Remedy = base+" does not compute: "+firstLine(why), "check the weights: training may have diverged"
	case code == C.BRIDGE_MEMORY:
		e.Message, e.Remedy = "not enough memory for "+base, "lower engine.cells or take a smaller model"
	case code == C.BRIDGE_UNSUPPORTED:
		e.Message, e.Remedy = base+" needs "+why+", which the embedded engine does not have", "take a model with plain causal attention (Llama, Qwen2, Qwen3, SmolLM2 …)"
	case strings.Contains(why, "invalid data"):
		e.Message, e.Remedy = base+" has weights that are not finite: "+firstLine(why), "check the weights: training may have diverged"
	case strings.Contains(why, "unknown model architecture"):
		e.Message, e.Remedy = base+" has an architecture that llama.cpp does not know: "+firstLine(why), "take a model that the bundled llama.cpp supports"
	default:
		e.Message, e.Remedy = "llama.cpp cannot load "+base+": "+firstLine(why), "check the file, or fetch it again"
	}
	return e
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	if i := strings.Index(line, ": "); i >= 0 {
		line = line[i+2:] // the name of the C function
	}
	return line
}

// spell reads the text of every token once, so that finding stop strings needs no call
// into C.
func (m *model) spell() {
	m.pieces = make([][]byte, int(m.facts.vocabulary))
	buf := make([]byte, 512)
	for id := range m.pieces {
		n := C.bridge_piece(m.c, C.int32_t(id), (*C.char)(unsafe.Pointer(&buf[0])), C.int32_t(len(buf)))
		if n < 0 {
			buf = make([]byte, -n)
			n = C.bridge_piece(m.c, C.int32_t(id), (*C.char)(unsafe.Pointer(&buf[0])), C.int32_t(len(buf)))
		}
		m.pieces[id] = append([]byte(nil), buf[:max(n, 0)]...)
	}
}

func (m *model) meta(key string) string {
	name := C.CString(key)
	defer C.free(unsafe.Pointer(name))
	buf := make([]byte, 256)
	n := C.bridge_meta(m.c, name, (*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	if n < 0 {
		return ""
	}
	return string(buf[:min(int(n), len(buf)-1)])
}

func (m *model) describe(ctx context.Context, w weights) (err error) {
	f := m.facts
	name := m.meta("general.name")
	if name == "" {
		name = filepath.Base(w.model.path)
	}
	eot := f.eot
	if eot < 0 {
		eot = f.eos
	}
	m.about = sparkd.EngineInfo{
		Name: "embedded", Model: name, Architecture: m.meta("general.architecture"), WeightType: weightType(m.meta("general.file_type")),
		PolicyVersion: w.name(), Vocabulary: int(f.vocabulary), ContextLength: int(f.context),
		ChatTemplate: C.GoString(C.bridge_template(m.c)), BOS: int32(f.bos), EOS: int32(f.eos), EOT: int32(eot), AddBOS: bool(f.add_bos),
		Settings: map[string]any{"build": buildFlags(), "parameters": int64(f.parameters), "layers": int(f.layers), "kv_bytes": int64(C.bridge_block_bytes(m.c)) * int64(m.opts.blocks), "attention_check": float64(f.check), "rearranged_matrices": int(f.rearranged)},
	}
	m.about.TokenizerHash, err = sparkd.TokenizerHash(ctx, func(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
		return m.tokenize(text, control)
	})
	return err
}

// weightType names general.file_type (enum llama_ftype of llama.h).
func weightType(s string) string {
	names := map[string]string{"0": "F32", "1": "F16", "2": "Q4_0", "3": "Q4_1", "7": "Q8_0", "8": "Q5_0", "9": "Q5_1", "10": "Q2_K",
		"11": "Q3_K_S", "12": "Q3_K_M", "13": "Q3_K_L", "14": "Q4_K_S", "15": "Q4_K_M", "16": "Q5_K_S", "17": "Q5_K_M", "18": "Q6_K", "32": "BF16"}
	if n, ok := names[s]; ok {
		return n
	}
	if s == "" {
		return "unknown"
	}
	return "type " + s
}

func (m *model) info() sparkd.EngineInfo { return m.about }
func (m *model) blocks() int             { return m.opts.blocks }
func (m *model) maxBatch() int           { return m.opts.batch }
func (m *model) maxSegments() int        { return m.opts.segments }
func (m *model) vocabulary() int         { return int(m.facts.vocabulary) }
func (m *model) contextLength() int      { return int(m.facts.context) }
func (m *model) isEndOfGeneration(id sparkd.Token) bool {
	return bool(C.bridge_ends(m.c, C.int32_t(id)))
}

// detokenizePiece returns the text of one token, which may be a part of a UTF-8
// sequence; nil for an id outside the vocabulary.
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

func (m *model) tokenize(text string, control bool) ([]sparkd.Token, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > 16<<20 {
		return nil, sparkd.Invalid("text", "at most 16 MiB at a time", "text of %d bytes", len(text))
	}
	in := unsafe.StringData(text)
	out := make([]sparkd.Token, len(text)+8)
	for {
		n := C.bridge_tokenize(m.c, (*C.char)(unsafe.Pointer(in)), C.int32_t(len(text)), C.bool(control), (*C.int32_t)(unsafe.Pointer(&out[0])), C.int32_t(len(out)))
		if n >= 0 {
			return out[:n:n], nil
		}
		if int(-n) <= len(out) {
			return nil, sparkd.Errorf(sparkd.CodeEngine, "llama.cpp cannot tokenise a text of %d bytes", len(text))
		}
		out = make([]sparkd.Token, -n)
	}
}

// forward computes the new tokens of segs in one pass through the model.
func (m *model) forward(segs []segment) error {
	m.segs, m.path, m.tokens = m.segs[:0], m.path[:0], m.tokens[:0]
	for _, s := range segs {
		c := C.bridge_segment{refs: C.int32_t(len(s.path)), fresh: C.int32_t(len(s.tokens))}
		if s.output {
			c.output = 1
		}
		m.segs = append(m.segs, c)
		for _, r := range s.path {
			m.path = append(m.path, r.block, r.n)
		}
		m.tokens = append(m.tokens, s.tokens...)
	}
	if len(m.tokens) == 0 || len(m.segs) > m.opts.segments {
		return sparkd.Errorf(sparkd.CodeEngine, "a forward of %d tokens in %d segments", len(m.tokens), len(m.segs))
	}
	var why [512]C.char
	if code := C.bridge_forward(m.c, &m.segs[0], C.int32_t(len(m.segs)), (*C.int32_t)(unsafe.Pointer(&m.path[0])),
		(*C.int32_t)(unsafe.Pointer(&m.tokens[0])), &why[0], C.size_t(len(why))); code != C.BRIDGE_OK {
		return sparkd.Errorf(sparkd.CodeEngine, "the forward failed: %s", strings.TrimSpace(C.GoString(&why[0])))
	}
	return nil
}

func (m *model) logits(i int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(C.bridge_logits(m.c, C.int32_t(i)))), int(m.facts.vocabulary))
}

func (m *model) summarize(logits []float32, temperature float32) summary {
	var s C.bridge_summary
	C.bridge_summarize((*C.float)(unsafe.Pointer(&logits[0])), C.int32_t(len(logits)), C.float(temperature), &s)
	return summary{logZ: float64(s.log_z), logZT: float64(s.log_zt), entropy: float64(s.entropy),
		best: float32(s.best), second: float32(s.second), bestID: int32(s.best_id), finite: bool(s.finite)}
}

func (m *model) draw(logits []float32, temperature float32, s summary, u float64) sparkd.Token {
	c := C.bridge_summary{log_zt: C.double(s.logZT), best: C.float(s.best), best_id: C.int32_t(s.bestID)}
	return int32(C.bridge_draw((*C.float)(unsafe.Pointer(&logits[0])), C.int32_t(len(logits)), C.float(temperature), &c, C.double(u)))
}

func (m *model) close() {
	if m.c != nil {
		C.bridge_close(m.c)
		m.c = nil
	}
}

// buildFlags says what the kernels were compiled for.
func buildFlags() string { return C.GoString(C.bridge_build()) }

// BuildWarning says what a slow build lacks, or "" when the kernels were compiled as
// the Makefile compiles them.
func BuildWarning() string {
	if runtime.GOARCH == "amd64" && !strings.Contains(buildFlags(), "avx2") {
		return "the engine was compiled without AVX2 and runs about ten times slower; build with make, which sets CGO_CFLAGS and CGO_CXXFLAGS"
	}
	return ""
}

// Quantize writes a copy of the GGUF at in with weights of another type (F32, F16,
// Q8_0, Q4_0, Q4_1, Q4_K_M).
func Quantize(in, out, weights string) error {
	a, b, c := C.CString(in), C.CString(out), C.CString(weights)
	defer C.free(unsafe.Pointer(a))
	defer C.free(unsafe.Pointer(b))
	defer C.free(unsafe.Pointer(c))
	var why [512]C.char
	if code := C.bridge_quantize(a, b, c, &why[0], C.size_t(len(why))); code != C.BRIDGE_OK {
		return fmt.Errorf("quantize %s: %s", strconv.Quote(filepath.Base(in)), strings.TrimSpace(C.GoString(&why[0])))
	}
	return nil
}
