package store

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The kinds of fields. Each is given where the value is in a T.

func integer[T any, I ~int | ~int64](at func(*T) *I) kind[T] {
	return kind[T]{"integer (sint64)", protowire.VarintType,
		func(e *encoder, num protowire.Number, v *T) {
			if x := *at(v); x != 0 {
				e.varint(num, protowire.EncodeZigZag(int64(x)))
			}
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = I(protowire.DecodeZigZag(x.number))
			return nil
		},
	}
}

func flag[T any](at func(*T) *bool) kind[T] {
	return kind[T]{"flag (bool)", protowire.VarintType,
		func(e *encoder, num protowire.Number, v *T) {
			if *at(v) {
				e.varint(num, 1)
			}
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
		func(e *encoder, num protowire.Number, v *T) {
			if x := math.Float64bits(*at(v)); x != 0 {
				e.message = protowire.AppendTag(e.message, num, protowire.Fixed64Type)
				e.message = protowire.AppendFixed64(e.message, x)
			}
		},
		func(_ *decoder, x value, v *T) error {
			*at(v) = math.Float64frombits(x.number)
			return nil
		},
	}
}

func text[T any](at func(*T) *string) kind[T] {
	return kind[T]{"text (string)", protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			if s := *at(v); s != "" {
				e.message = protowire.AppendTag(e.message, num, protowire.BytesType)
				e.message = protowire.AppendString(e.message, s)
			}
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
		func(e *encoder, num protowire.Number, v *T) {
			if i := e.word(string(*at(v))); i > 0 {
				e.varint(num, i)
			}
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
		func(e *encoder, num protowire.Number, v *T) {
			for _, s := range *at(v) {
				e.varint(num, e.word(s))
			}
		},
		func(d *decoder, x value, v *T) error {
			s, err := d.word(x.number)
			*at(v) = append(*at(v), s)
			return err
		},
	}
}

// packed is for one number per token. An empty slice is written, nil is not.
func packed[T any, E int32 | float32](about string, at func(*T) *[]E) kind[T] {
	return kind[T]{"packed " + about, protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			if s := *at(v); s != nil {
				e.message = protowire.AppendTag(e.message, num, protowire.BytesType)
				e.message = protowire.AppendVarint(e.message, uint64(4*len(s)))
				e.message = slices.Grow(e.message, 4*len(s))[:len(e.message)+4*len(s)]
				putFixed32(e.message[len(e.message)-4*len(s):], s)
			}
		},
		func(_ *decoder, x value, v *T) error {
			s := make([]E, len(x.bytes)/4)
			*at(v) = s
			if len(x.bytes) != 4*len(s) {
				return errFormat
			}
			getFixed32(x.bytes, s)
			return nil
		},
	}
}

// putFixed32 and getFixed32 have a loop for each type: these are most of a block's bytes.
func putFixed32[E int32 | float32](b []byte, s []E) {
	switch s := any(s).(type) {
	case []int32:
		for i, x := range s {
			binary.LittleEndian.PutUint32(b[4*i:], uint32(x))
		}
	case []float32:
		for i, x := range s {
			binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
		}
	}
}

func getFixed32[E int32 | float32](b []byte, s []E) {
	switch s := any(s).(type) {
	case []int32:
		for i := range s {
			s[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case []float32:
		for i := range s {
			s[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
}

// part is a message within T that is always there.
func part[T, U any](about string, m message[U], at func(*T) *U) kind[T] {
	return kind[T]{about, protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			before := len(e.message)
			begin := e.begin(num)
			if m.put(e, at(v)); len(e.message) == begin {
				e.message = e.message[:before]
				return
			}
			e.end(begin)
		},
		func(d *decoder, x value, v *T) error { return m.get(d, x.bytes, at(v)) },
	}
}

func optional[T, U any](about string, m message[U], at func(*T) **U) kind[T] {
	return kind[T]{about, protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			if u := *at(v); u != nil {
				begin := e.begin(num)
				m.put(e, u)
				e.end(begin)
			}
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
		func(e *encoder, num protowire.Number, v *T) {
			for i := range *at(v) {
				begin := e.begin(num)
				m.put(e, &(*at(v))[i])
				e.end(begin)
			}
		},
		func(d *decoder, x value, v *T) error {
			s := append(*at(v), *new(U))
			*at(v) = s
			return m.get(d, x.bytes, &s[len(s)-1])
		},
	}
}

// moment drops the zone: times are read back in UTC.
func moment[T any](at func(*T) *time.Time) kind[T] {
	return kind[T]{"Timestamp", protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			if t := *at(v); !t.IsZero() {
				e.time = timestamp{t.Unix(), t.Nanosecond()}
				begin := e.begin(num)
				timestampFields.put(e, &e.time)
				e.end(begin)
			}
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
