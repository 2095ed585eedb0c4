//go:build cgo

package embedded

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"unsafe"

	"sparkd"
)

// openModel loads w. A failed load leaves nothing behind.
func openModel(ctx context.Context, w weights, o modelOptions) (backend, error) {
	m := &model{opts: o}
	err := m.open(ctx, w)
	if err == nil {
		err = m.describe(ctx, w)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	if o.threads == 0 {
		m.about.Threads = m.pickThreads()
	}
	return m, nil
}

// open reads the weights, makes the KV store and reads the vocabulary.
func (m *model) open(ctx context.Context, w weights) error {
	opts := C.bridge_options{
		max_threads:  C.int32_t(cmp.Or(m.opts.threads, runtime.NumCPU())),
		max_tokens:   C.int32_t(m.opts.batch),
		max_segments: C.int32_t(m.opts.segments),
		plain:        C.bool(m.opts.plain),
	}
	opts.path = C.CString(w.model.path)
	defer C.free(unsafe.Pointer(opts.path))
	if w.adapter.path != "" {
		opts.adapter = C.CString(w.adapter.path)
		defer C.free(unsafe.Pointer(opts.adapter))
	}
	var canceled atomic.Int32
	defer context.AfterFunc(ctx, func() { canceled.Store(1) })()
	var pin runtime.Pinner
	pin.Pin(&canceled)
	defer pin.Unpin()
	opts.canceled = (*C.int32_t)(unsafe.Pointer(&canceled))

	code := C.bridge_open(&opts, &m.c, &m.failure)
	if code == C.BRIDGE_OK {
		code = C.bridge_describe(m.c, &m.facts, &m.failure)
	}
	if code == C.BRIDGE_OK {
		m.opts.blocks = cmp.Or(m.opts.blocks, roomFor(int64(m.facts.block_bytes), availableMemory(os.DirFS("/"))))
		code = C.bridge_allocate(m.c, C.int32_t(m.opts.blocks), &m.deviation, &m.failure)
	}
	if code == C.BRIDGE_OK {
		code = m.readVocabulary()
	}
	switch {
	case code == C.BRIDGE_CANCELED:
		return sparkd.AsError(ctx.Err())
	case code != C.BRIDGE_OK:
		return loadError(w, code, text(&m.failure))
	}
	C.bridge_set_threads(m.c, C.int32_t(max(1, m.opts.threads)))
	return nil
}

// text says why a call failed.
func text(e *C.bridge_error) string { return strings.TrimSpace(C.GoString(&e.text[0])) }

func loadError(w weights, code C.int, why string) error {
	base, line := filepath.Base(w.model.path), firstLine(why)
	refuse := func(message, remedy string) error { return unusable(remedy, "%s", message).Because(errors.New(why)) }
	switch {
	case code == C.BRIDGE_ADAPTER:
		return refuse(filepath.Base(w.adapter.path)+" is no LoRA adapter for "+base+": "+line,
			"convert an adapter of this model with llama.cpp's convert_lora_to_gguf.py")
	case code == C.BRIDGE_COMPUTE:
		return refuse(base+" does not compute: "+line, "check the weights: training may have diverged")
	case code == C.BRIDGE_MEMORY:
		return refuse("not enough memory for "+base, "lower engine.cells or take a smaller model")
	case code == C.BRIDGE_UNSUPPORTED:
		return refuse(base+" needs "+why+", which the embedded engine does not have",
			"take a model with plain causal attention (Llama, Qwen2, Qwen3, SmolLM2 …)")
	case strings.Contains(why, "invalid data"):
		return refuse(base+" has weights that are not finite: "+line, "check the weights: training may have diverged")
	case strings.Contains(why, "unknown model architecture"):
		return refuse(base+" has an architecture that llama.cpp does not know: "+line,
			"take a model that the bundled llama.cpp supports")
	default:
		return refuse("llama.cpp cannot load "+base+": "+line, "check the file, or fetch it again")
	}
}

func (m *model) describe(ctx context.Context, w weights) (err error) {
	f := &m.facts
	m.about = sparkd.EngineInfo{
		Name:          "embedded",
		Model:         cmp.Or(C.GoString(f.name), filepath.Base(w.model.path)),
		Architecture:  C.GoString(f.architecture),
		WeightType:    weightType(C.GoString(f.file_type)),
		PolicyVersion: w.name(),
		Vocabulary:    int(f.vocabulary),
		ContextLength: int(f.context),
		ChatTemplate:  C.GoString(f.chat_template),
		BOS:           int32(f.bos),
		EOS:           int32(f.eos),
		EOT:           int32(f.eot),
		AddBOS:        bool(f.add_bos),
		Threads:       m.opts.threads,
		Settings: map[string]any{
			"build":               buildFlags(),
			"parameters":          int64(f.parameters),
			"layers":              int(f.layers),
			"kv_bytes":            int64(f.block_bytes) * int64(m.opts.blocks),
			"attention_check":     float64(m.deviation),
			"rearranged_matrices": int(f.rearranged_matrices),
		},
	}
	if f.eot < 0 {
		m.about.EOT = m.about.EOS
	}
	if err := m.checkBytes(w); err != nil {
		return err
	}
	m.about.Warnings = m.doubts()
	tokenize := func(_ context.Context, text string, control bool) ([]sparkd.Token, error) {
		return m.tokenize(text, control)
	}
	if m.about.TokenizerHash, err = sparkd.TokenizerHash(ctx, tokenize); err != nil {
		return unusable("convert the model anew", "the vocabulary of %s cannot tokenise a text",
			filepath.Base(w.model.path)).Because(err)
	}
	return nil
}

// weightType names general.file_type (enum llama_ftype of llama.h).
func weightType(s string) string {
	names := map[string]string{
		"0": "F32", "1": "F16", "2": "Q4_0", "3": "Q4_1", "7": "Q8_0", "8": "Q5_0", "9": "Q5_1", "10": "Q2_K",
		"11": "Q3_K_S", "12": "Q3_K_M", "13": "Q3_K_L", "14": "Q4_K_S", "15": "Q4_K_M", "16": "Q5_K_S",
		"17": "Q5_K_M", "18": "Q6_K", "32": "BF16", "": "unknown",
	}
	return cmp.Or(names[s], "type "+s)
}
