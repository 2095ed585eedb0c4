//go:build cgo

package embedded

// #include "bridge.h"
import "C"

import (
	"path/filepath"
	"slices"
	"strings"
	"unsafe"
)

// readVocabulary reads every token once, so that detokenizing and finding stop strings needs no call into C.
func (m *model) readVocabulary() (code C.int) {
	m.bytePairs = C.GoString(m.facts.tokenizer) == "gpt2"
	n := int(m.facts.vocabulary)
	m.pieces, m.ends, m.control = make([][]byte, n), make([]bool, n), make([]bool, n)
	buf := make([]byte, 512)
	for id := range m.pieces {
		var n C.int32_t
		var ends, control C.bool
		for {
			at := (*C.char)(unsafe.Pointer(&buf[0]))
			code = C.bridge_token(m.c, C.int32_t(id), at, C.int32_t(len(buf)), &n, &ends, &control, &m.failure)
			if code != C.BRIDGE_OK {
				return code
			}
			if int(n) <= len(buf) {
				break
			}
			buf = make([]byte, n)
		}
		m.pieces[id], m.ends[id], m.control[id] = append([]byte(nil), buf[:n]...), bool(ends), bool(control)
	}
	return C.BRIDGE_OK
}

// everyByte is a text with every byte of texts in UTF-8, except for those that only control characters and planes
// without characters have: SmolLM2 lacks some.
var everyByte = func() string {
	var b strings.Builder
	b.WriteString("\t\n\r")
	for r := ' '; r < 0xc0; r++ { // and with them all that follow a first one
		b.WriteRune(r)
	}
	for first := 0xc3; first <= 0xdf; first++ {
		b.WriteRune(rune(first&0x1f) << 6)
	}
	for first := 0xe0; first <= 0xef; first++ {
		b.WriteRune(max(0x800, rune(first&0xf)<<12))
	}
	return b.String() + "\U00010000"
}()

// checkBytes makes sure that a vocabulary of SentencePiece has a token for every byte: llama.cpp throws at a text with
// one that has none.
func (m *model) checkBytes(w weights) error {
	if C.GoString(m.facts.tokenizer) != "llama" {
		return nil
	}
	for b := range 256 {
		if _, err := m.encode(string([]byte{byte(b)}), false); err != nil {
			return unusable("convert the model anew, with the tokens <0x00> to <0xFF>",
				"the vocabulary of %s has no token for the byte 0x%02X", filepath.Base(w.model.path), b).Because(err)
		}
	}
	return nil
}

// lost returns the characters of everyByte that have no tokens: llama.cpp leaves out of byte pairs what is not there.
func (m *model) lost() string {
	if !m.bytePairs {
		return ""
	}
	if ids, err := m.encode(everyByte, false); err == nil && m.detokenize(ids) == everyByte {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if ids, err := m.encode(string(r), false); err == nil && m.detokenize(ids) == string(r) {
			return -1
		}
		return r
	}, everyByte)
}

// doubts are the warnings about the model.
func (m *model) doubts() []string {
	f := &m.facts
	return doubts{
		log: C.GoString(f.warnings), pre: C.GoString(f.pre), ends: slices.Contains(m.ends, true), lost: m.lost(),
		special: []specialToken{
			{"bos", int(f.bos), bool(f.names_bos), bool(f.add_bos)}, {"eos", int(f.eos), bool(f.names_eos), true},
		},
	}.warnings()
}
