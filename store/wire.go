package store

import "google.golang.org/protobuf/encoding/protowire"

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
	put   func(e *encoder, num protowire.Number, v *T) // writes nothing for the zero value
	get   func(d *decoder, x value, v *T) error
}

// value is the value of a field as it stands in a message: a number or bytes.
type value struct {
	number uint64
	bytes  []byte
}

// encoder appends to message; a word that is new to the block it appends to block. Word 0
// is "", which both sides know.
type encoder struct {
	block, message []byte
	words          map[string]uint64
	time           timestamp // being written
}

// decoder holds the words of the block so far.
type decoder struct {
	words []string
	time  timestamp // being read
}

func (m message[T]) put(e *encoder, v *T) {
	for i := range m {
		m[i].put(e, protowire.Number(i+1), v)
	}
}

// get reads b into v. A known field of another wire type than its own is an error: it
// would be lost without a word otherwise.
func (m message[T]) get(d *decoder, b []byte, v *T) error {
	for len(b) > 0 {
		num, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		x, size := consume(num, wire, b[n:])
		if size < 0 {
			return protowire.ParseError(size)
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

// consume reads the value of a field of any wire type that there is; where it cannot, n is negative.
func consume(num protowire.Number, wire protowire.Type, b []byte) (x value, n int) {
	switch wire {
	case protowire.VarintType:
		x.number, n = protowire.ConsumeVarint(b)
	case protowire.Fixed64Type:
		x.number, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		x.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = protowire.ConsumeFieldValue(num, wire, b)
	}
	return x, n
}

func (e *encoder) varint(num protowire.Number, x uint64) {
	e.message = protowire.AppendTag(e.message, num, protowire.VarintType)
	e.message = protowire.AppendVarint(e.message, x)
}

// begin opens a field of bytes that are not counted yet, and returns where they begin, for end.
func (e *encoder) begin(num protowire.Number) int {
	e.message = append(protowire.AppendTag(e.message, num, protowire.BytesType), 0)
	return len(e.message)
}

// end writes the length of what was appended since begin, and makes room for it where it
// takes more than the byte that begin left.
func (e *encoder) end(begin int) {
	n := len(e.message) - begin
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		e.message = append(e.message, make([]byte, more)...)
		copy(e.message[begin+more:], e.message[begin:])
	}
	protowire.AppendVarint(e.message[:begin-1], uint64(n))
}

// word returns the number of s in the block's list of words.
func (e *encoder) word(s string) uint64 {
	i, known := e.words[s]
	if !known {
		i = uint64(len(e.words))
		e.words[s] = i
		e.block = protowire.AppendTag(e.block, blockWord, protowire.BytesType)
		e.block = protowire.AppendString(e.block, s)
	}
	return i
}

func (d *decoder) word(i uint64) (string, error) {
	if i >= uint64(len(d.words)) {
		return "", errFormat
	}
	return d.words[i], nil
}
