// Package gguf reads the metadata of GGUF files, versions 2 and 3, and no weights
// (github.com/ggml-org/ggml/blob/master/docs/gguf.md). It needs neither llama.cpp nor cgo, and takes any file: nothing
// is allocated because a file announces it.
package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// Metadata is what a file says of its model.
type Metadata struct {
	Strings  map[string]string
	Integers map[string]int64 // those beyond the range are left out
	Tokens   []string         // the vocabulary, by id
}

// Bounds of what is kept.
const (
	maxText   = 4 << 20 // bytes of a string
	maxTokens = 64 << 20
	tokens    = "tokenizer.ggml.tokens"
)

// The types of values.
const (
	typeBool   = 7
	typeString = 8
	typeArray  = 9
)

// sizes are those of the values of fixed size, by type.
var sizes = map[uint32]int64{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, typeBool: 1, 10: 8, 11: 8, 12: 8}

// Read reads a file's metadata.
func Read(path string) (*Metadata, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return Decode(f, info.Size())
}

var errNoGGUF = errors.New("it is no GGUF file")

// Decode reads the metadata of a file of size bytes.
func Decode(file io.Reader, size int64) (*Metadata, error) {
	r := &reader{in: bufio.NewReaderSize(file, 1<<16), left: size}
	if string(r.bytes(4)) != "GGUF" {
		return nil, errNoGGUF
	}
	if version := r.uint(4); r.err == nil && version != 2 && version != 3 {
		return nil, fmt.Errorf("it is a GGUF file of version %d, which is not known", version)
	}
	r.uint(8) // tensors
	m := &Metadata{Strings: map[string]string{}, Integers: map[string]int64{}}
	for n := r.uint(8); n > 0 && r.err == nil; n-- {
		r.entry(m)
	}
	if r.err != nil {
		return nil, fmt.Errorf("its metadata is damaged: %w", r.err)
	}
	return m, nil
}

// reader reads values and remembers the first error.
type reader struct {
	in   *bufio.Reader
	left int64 // bytes of the file
	kept int64 // bytes of tokens
	err  error
}

// need reports whether n more bytes are there.
func (r *reader) need(n uint64) bool {
	if r.err == nil && n > uint64(max(r.left, 0)) {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return false
	}
	r.left -= int64(n)
	return true
}

func (r *reader) bytes(n uint64) []byte {
	if !r.need(n) {
		return nil
	}
	b := make([]byte, n)
	_, r.err = io.ReadFull(r.in, b)
	return b
}

// skip leaves n bytes out.
func (r *reader) skip(n uint64) {
	if r.need(n) {
		_, r.err = io.CopyN(io.Discard, r.in, int64(n))
	}
}

func (r *reader) uint(size int64) uint64 {
	var b [8]byte
	copy(b[:], r.bytes(uint64(size)))
	return binary.LittleEndian.Uint64(b[:])
}

// text reads a string; "" where it is longer than most.
func (r *reader) text(most uint64) string {
	n := r.uint(8)
	if n > most {
		r.skip(n)
		return ""
	}
	return string(r.bytes(n))
}

func (r *reader) entry(m *Metadata) {
	key := r.text(1 << 16)
	switch kind := uint32(r.uint(4)); kind {
	case typeString:
		m.Strings[key] = strings.ToValidUTF8(r.text(maxText), "\uFFFD")
	case typeArray:
		r.array(m, key)
	default:
		size, known := sizes[kind]
		if !known && r.err == nil {
			r.err = fmt.Errorf("%q has a value of the unknown type %d", key, kind)
		}
		if value, ok := integer(kind, r.uint(size)); ok && r.err == nil {
			m.Integers[key] = value
		}
	}
}

// integer is a value of fixed size as a number; floats are none.
func integer(kind uint32, bits uint64) (int64, bool) {
	switch kind {
	case 0, 2, 4, typeBool:
		return int64(bits), true
	case 1:
		return int64(int8(bits)), true
	case 3:
		return int64(int16(bits)), true
	case 5:
		return int64(int32(bits)), true
	case 10:
		return int64(bits), bits <= math.MaxInt64
	case 11:
		return int64(bits), true
	}
	return 0, false
}

func (r *reader) array(m *Metadata, key string) {
	kind, n := uint32(r.uint(4)), r.uint(8)
	size, fixed := sizes[kind]
	switch {
	case r.err != nil:
	case kind == typeString:
		for ; n > 0 && r.err == nil; n-- {
			if key != tokens {
				r.text(0)
				continue
			}
			word := r.text(1 << 16)
			if r.kept += int64(len(word)) + 16; r.kept > maxTokens {
				r.err = errors.New("the vocabulary is too large")
				return
			}
			m.Tokens = append(m.Tokens, word)
		}
	case !fixed:
		r.err = fmt.Errorf("%q has a list of the unknown type %d", key, kind)
	case n > math.MaxInt64/8:
		r.err = io.ErrUnexpectedEOF
	default:
		r.skip(n * uint64(size))
	}
}

// Token returns the text of the token whose id stands under the key; "" where there is none.
func (m *Metadata) Token(key string) string {
	id, ok := m.Integers[key]
	if !ok || id < 0 || id >= int64(len(m.Tokens)) {
		return ""
	}
	return m.Tokens[id]
}
