package store

import (
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// A message is a run of fields in any order, each a number with a wire type and a value,
// in the encoding of protocol buffers. Who reads one skips numbers that it does not know;
// a field that is not there has the zero value, and that is how a zero value is written.

// message is the description of a Go type that encoding, decoding and the documentation
// follow. The field in row i has the number i+1; a row is never taken out or moved.
type message[T any] []field[T]

// field is one field of T. Its name is that of the JSON of T.
type field[T any] struct {
	name string
	kind[T]
}

// kind says how a field of T is written and read.
type kind[T any] struct {
	about string // for the documentation
	wire  protowire.Type
	put   func(e *encoder, b []byte, num protowire.Number, v *T) []byte // appends nothing for the zero value
	get   func(d *decoder, x value, v *T) error
}

// value is the value of a field as it stands in a message: a number or bytes.
type value struct {
	number uint64
	bytes  []byte
}

// encoder has the words of the block so far, by number, and those that the node being written is the first with, as
// they are written. Word 0 is "", which both sides know.
type encoder struct {
	words []string
	fresh []byte
	time  timestamp // being written
}

// decoder holds the words of the block so far.
type decoder struct {
	words []string
	time  timestamp // being read
}

// put appends v to b as the field num, with the length in front. Room for a length of one byte is left before it is
// known; a longer one moves what follows.
func (m message[T]) put(e *encoder, b []byte, num protowire.Number, v *T) []byte {
	b = append(appendTag(b, num, protowire.BytesType), 0)
	begin := len(b)
	for i := range m {
		b = m[i].put(e, b, protowire.Number(i+1), v)
	}
	n := len(b) - begin
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		b = append(b, make([]byte, more)...)
		copy(b[begin+more:], b[begin:])
	}
	protowire.AppendVarint(b[:begin-1], uint64(n))
	return b
}

// get reads b into v. A known field of another wire type than its own is an error: it would be lost without a word
// otherwise.
func (m message[T]) get(d *decoder, b []byte, v *T) error {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		num, wire := protowire.DecodeTag(tag)
		if n <= 0 || num < protowire.MinValidNumber {
			return errFormat
		}
		x, size := consume(num, wire, b[n:])
		if size <= 0 {
			return errFormat
		}
		b = b[n+size:]
		if int(num) > len(m) {
			continue
		}
		f := &m[num-1]
		if wire != f.wire {
			return errFormat
		}
		if err := f.get(d, x, v); err != nil {
			return err
		}
	}
	return nil
}

// consume reads the value of a field of any wire type that there is; where it cannot, n is not positive.
func consume(num protowire.Number, wire protowire.Type, b []byte) (x value, n int) {
	switch wire {
	case protowire.VarintType:
		x.number, n = binary.Uvarint(b)
	case protowire.Fixed64Type:
		x.number, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		x.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, wire, b)
	}
	return x, n
}

// appendTag does what protowire.AppendTag does, inlined: it is as much work as most values.
func appendTag(b []byte, num protowire.Number, wire protowire.Type) []byte {
	return binary.AppendUvarint(b, protowire.EncodeTag(num, wire))
}

func appendNumber(b []byte, num protowire.Number, x uint64) []byte {
	return binary.AppendUvarint(appendTag(b, num, protowire.VarintType), x)
}

func appendText(b []byte, num protowire.Number, s string) []byte {
	b = binary.AppendUvarint(appendTag(b, num, protowire.BytesType), uint64(len(s)))
	return append(b, s...)
}

// knownWords is how many words are searched before a word is taken to be new; more are in no block whose words repeat.
// Searching them costs less than a map, and a word that is written again is only longer.
const knownWords = 64

// word returns the number of s in the block's list of words.
func (e *encoder) word(s string) uint64 {
	i := slices.Index(e.words[:min(len(e.words), knownWords)], s)
	if i < 0 {
		i = len(e.words)
		e.words = append(e.words, s)
		e.fresh = appendText(e.fresh, blockWord, s)
	}
	return uint64(i)
}

func (d *decoder) word(i uint64) (string, error) {
	if i >= uint64(len(d.words)) {
		return "", errFormat
	}
	return d.words[i], nil
}
