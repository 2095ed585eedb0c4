package store

import (
	"encoding/binary"
	"math"
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

// tokens takes two or three bytes of most ids. An empty slice is written, nil is not.
func tokens[T any](at func(*T) *[]sparkd.Token) kind[T] {
	return kind[T]{"packed uint32", protowire.BytesType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			s := *at(v)
			if s == nil {
				return b
			}
			size := 0
			for _, id := range s {
				size += protowire.SizeVarint(uint64(uint32(id)))
			}
			b = appendSize(b, num, size)
			for _, id := range s {
				b = binary.AppendUvarint(b, uint64(uint32(id)))
			}
			return b
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
	s := make([]sparkd.Token, 0, count)
	id, shift := uint64(0), 0
	for _, c := range b {
		id |= uint64(c&0x7f) << shift
		if shift += 7; c >= 0x80 {
			continue
		}
		if id > math.MaxUint32 || shift > 5*7 {
			return nil, errFormat
		}
		s = append(s, sparkd.Token(uint32(id)))
		id, shift = 0, 0
	}
	if shift > 0 {
		return nil, errShort
	}
	return s, nil
}

// floats is for one number per token. An empty slice is written, nil is not.
func floats[T any](at func(*T) *[]float32) kind[T] {
	return kind[T]{"packed float", protowire.BytesType,
		func(_ *encoder, b []byte, num protowire.Number, v *T) []byte {
			s := *at(v)
			if s == nil {
				return b
			}
			b = appendSize(b, num, 4*len(s))
			begin := len(b)
			b = b[:begin+4*len(s)]
			for i, x := range s {
				binary.LittleEndian.PutUint32(b[begin+4*i:], math.Float32bits(x))
			}
			return b
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
			if s == nil {
				s = make([]U, 0, 2)
			}
			s = append(s, *new(U))
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
