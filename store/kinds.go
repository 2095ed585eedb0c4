package store

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"sparkd"
)

// The kinds of fields. Each is given where the value is in a T.

func integer[T any, I ~int | ~int64](at func(*T) *I) kind[T] {
	return kind[T]{"integer (sint64)", protowire.VarintType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			if x := *at(v); x != 0 {
				return appendNumber(b, num, protowire.EncodeZigZag(int64(x)))
			}
			return b
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = I(protowire.DecodeZigZag(x.number))
			return nil
		},
	}
}

func flag[T any](at func(*T) *bool) kind[T] {
	return kind[T]{"flag (bool)", protowire.VarintType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			if *at(v) {
				return appendNumber(b, num, 1)
			}
			return b
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = x.number != 0
			return nil
		},
	}
}

// float tells -0 from 0.
func float[T any](at func(*T) *float64) kind[T] {
	return kind[T]{"number (double)", protowire.Fixed64Type,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			if x := math.Float64bits(*at(v)); x != 0 {
				return binary.LittleEndian.AppendUint64(appendTag(b, num, protowire.Fixed64Type), x)
			}
			return b
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = math.Float64frombits(x.number)
			return nil
		},
	}
}

func text[T any](at func(*T) *string) kind[T] {
	return kind[T]{"text (string)", protowire.BytesType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			if s := *at(v); s != "" {
				return appendText(b, num, s)
			}
			return b
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = string(x.bytes)
			return nil
		},
	}
}

// word is for texts that repeat from node to node.
func word[T any, S ~string](at func(*T) *S) kind[T] {
	return kind[T]{"word (uint64)", protowire.VarintType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			if i := e.word(string(*at(v))); i > 0 {
				return appendNumber(b, num, i)
			}
			return b
		},
		func(d *decoder, x value, v *T) error {
			s, err := d.word(x.number)
			*at(v) = S(s)
			return err
		},
	}
}

func words[T any](at func(*T) *[]string) kind[T] {
	return kind[T]{"word (repeated uint64)", protowire.VarintType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			for _, s := range *at(v) {
				b = appendNumber(b, num, e.word(s))
			}
			return b
		},
		func(d *decoder, x value, v *T) error {
			s, err := d.word(x.number)
			*at(v) = append(*at(v), s)
			return err
		},
	}
}

func tokens[T any](at func(*T) *[]sparkd.Token) kind[T] {
	return packed("packed fixed32", at, putTokens, getTokens)
}

func floats[T any](at func(*T) *[]float32) kind[T] {
	return packed("packed float", at, putFloats, getFloats)
}

func putTokens(b []byte, s []sparkd.Token) {
	for i, id := range s {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(id))
	}
}

func getTokens(s []sparkd.Token, b []byte) {
	for i := range s {
		s[i] = sparkd.Token(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func putFloats(b []byte, s []float32) {
	for i, x := range s {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
	}
}

func getFloats(s []float32, b []byte) {
	for i := range s {
		s[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// packed is for one number of four bytes per token. An empty slice is written, nil is not.
func packed[T, E any](about string, at func(*T) *[]E, put func([]byte, []E), get func([]E, []byte)) kind[T] {
	return kind[T]{about, protowire.BytesType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			s := *at(v)
			if s == nil {
				return b
			}
			size := 4 * len(s)
			b = slices.Grow(binary.AppendUvarint(appendTag(b, num, protowire.BytesType), uint64(size)), size)
			put(b[len(b):len(b)+size], s)
			return b[:len(b)+size]
		},
		func(_ *decoder, x value, v *T) error {
			s := make([]E, len(x.bytes)/4)
			if len(x.bytes) != 4*len(s) {
				return errFormat
			}
			get(s, x.bytes)
			*at(v) = s
			return nil
		},
	}
}

// part is a message within T that is always there.
func part[T, U any](about string, m message[U], at func(*T) *U) kind[T] {
	return kind[T]{about, protowire.BytesType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			with := m.put(e, b, num, at(v))
			if len(with) == len(b)+protowire.SizeTag(num)+1 { // and a length of 0
				return b
			}
			return with
		},
		func(d *decoder, x value, v *T) error { return m.get(d, x.bytes, at(v)) },
	}
}

func optional[T, U any](about string, m message[U], at func(*T) **U) kind[T] {
	return kind[T]{about, protowire.BytesType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			if u := *at(v); u != nil {
				return m.put(e, b, num, u)
			}
			return b
		},
		func(d *decoder, x value, v *T) error {
			if *at(v) == nil {
				*at(v) = new(U)
			}
			return m.get(d, x.bytes, *at(v))
		},
	}
}

func list[T, U any](about string, m message[U], at func(*T) *[]U) kind[T] {
	return kind[T]{"repeated " + about, protowire.BytesType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			s := *at(v)
			for i := range s {
				b = m.put(e, b, num, &s[i])
			}
			return b
		},
		func(d *decoder, x value, v *T) error {
			s := *at(v)
			if len(s) == cap(s) {
				s = slices.Grow(s, 2)
			}
			s = s[:len(s)+1] // a zero U: none was there before
			*at(v) = s
			return m.get(d, x.bytes, &s[len(s)-1])
		},
	}
}

// moment drops the zone: times are read back in UTC.
func moment[T any](at func(*T) *time.Time) kind[T] {
	return kind[T]{"Timestamp", protowire.BytesType,
		func(e *encoder, b []byte, num protowire.Number, v *T) []byte {
			if t := *at(v); !t.IsZero() {
				e.time = timestamp{t.Unix(), t.Nanosecond()}
				return timestampFields.put(e, b, num, &e.time)
			}
			return b
		},
		func(d *decoder, x value, v *T) error {
			d.time = timestamp{}
			if err := timestampFields.get(d, x.bytes, &d.time); err != nil {
				return err
			}
			if d.time.nanos < 0 || d.time.nanos >= int(time.Second) {
				return errFormat
			}
			*at(v) = time.Unix(d.time.seconds, int64(d.time.nanos)).UTC()
			return nil
		},
	}
}
