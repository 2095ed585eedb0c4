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

// tokens takes two or three bytes of most ids. An empty slice is written, nil is not.
func tokens[T any](at func(*T) *[]sparkd.Token) kind[T] {
	return kind[T]{"packed uint32", protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			if s := *at(v); s != nil {
				begin := e.begin(num)
				for _, id := range s {
					e.message = protowire.AppendVarint(e.message, uint64(uint32(id)))
				}
				e.end(begin)
			}
		},
		func(_ *decoder, x value, v *T) (err error) {
			*at(v), err = readTokens(x.bytes)
			return err
		},
	}
}

func readTokens(b []byte) ([]sparkd.Token, error) {
	count := 0
	for _, c := range b {
		count += int(^c >> 7) // the last byte of an id
	}
	s := make([]sparkd.Token, count)
	for i := range s {
		id, n := protowire.ConsumeVarint(b)
		if n < 0 || id > math.MaxUint32 {
			return nil, errFormat
		}
		s[i], b = sparkd.Token(uint32(id)), b[n:]
	}
	if len(b) > 0 {
		return nil, errShort
	}
	return s, nil
}

// floats is for one number per token. An empty slice is written, nil is not.
func floats[T any](at func(*T) *[]float32) kind[T] {
	return kind[T]{"packed float", protowire.BytesType,
		func(e *encoder, num protowire.Number, v *T) {
			s := *at(v)
			if s == nil {
				return
			}
			e.message = protowire.AppendTag(e.message, num, protowire.BytesType)
			e.message = protowire.AppendVarint(e.message, uint64(4*len(s)))
			e.message = slices.Grow(e.message, 4*len(s))
			for _, x := range s {
				e.message = binary.LittleEndian.AppendUint32(e.message, math.Float32bits(x))
			}
		},
		func(_ *decoder, x value, v *T) error {
			s := make([]float32, len(x.bytes)/4)
			if len(x.bytes) != 4*len(s) {
				return errFormat
			}
			for i := range s {
				s[i] = math.Float32frombits(binary.LittleEndian.Uint32(x.bytes[4*i:]))
			}
			*at(v) = s
			return nil
		},
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
