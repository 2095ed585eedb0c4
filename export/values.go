package export

import (
	"reflect"
	"strconv"

	"sparkd"
)

// only makes a value one that is not always there. In a packed file it has a column all the
// same, which is null without it.
func only[T any](has func(*Options, T) bool, v value[T]) value[T] {
	v.has = has
	return v
}

// withText and withEntropies are for values that an option asks for.
func withText[T any](o *Options, _ T) bool      { return o.Text }
func withEntropies[T any](o *Options, _ T) bool { return o.Entropies }

func text[T any, S ~string](of func(T) S) value[T] {
	return value[T]{typ: reflect.TypeFor[string], write: func(out *buffer, from T) {
		out.b = appendString(out.b, string(of(from)))
	}}
}

// uid is "tree:node", which names a step, and a trajectory by its last step.
func uid[T any](of func(T) (t *sparkd.Tree, node int)) value[T] {
	return value[T]{typ: reflect.TypeFor[string], write: func(out *buffer, from T) {
		t, node := of(from)
		out.b = appendString(out.b, t.ID)
		out.b[len(out.b)-1] = ':'
		out.b = append(strconv.AppendInt(out.b, int64(node), 10), '"')
	}}
}

func boolean[T any](of func(T) bool) value[T] {
	return value[T]{typ: reflect.TypeFor[bool], write: func(out *buffer, from T) {
		out.b = strconv.AppendBool(out.b, of(from))
	}}
}

func integer[T any](of func(T) int) value[T] {
	return value[T]{typ: reflect.TypeFor[int], write: func(out *buffer, from T) {
		out.b = strconv.AppendInt(out.b, int64(of(from)), 10)
	}}
}

func number[T any](of func(T) float64) value[T] {
	return value[T]{typ: reflect.TypeFor[float64], write: func(out *buffer, from T) {
		out.number(of(from))
	}}
}

// numberOrNull is null where of returns nil.
func numberOrNull[T any](of func(T) *float64) value[T] {
	return value[T]{typ: reflect.TypeFor[*float64], write: func(out *buffer, from T) {
		if x := of(from); x != nil {
			out.number(*x)
		} else {
			out.null()
		}
	}}
}

// indicator is 1.0 for true and 0.0 for false.
func indicator[T any](of func(T) bool) value[T] {
	return number(func(from T) float64 {
		if of(from) {
			return 1
		}
		return 0
	})
}

// object is an object of the given fields.
func object[T any](of fields[T]) value[T] { return value[T]{typ: of.typ, write: of.writer()} }

// list is a list of items.
func list[T, U any](of func(T) []U, item value[U]) value[T] {
	return value[T]{
		typ: func() reflect.Type { return reflect.SliceOf(item.typ()) },
		write: func(out *buffer, from T) {
			out.b = append(out.b, '[')
			for _, u := range of(from) {
				item.write(out, u)
				out.b = append(out.b, ',')
			}
			out.endList()
		},
	}
}

// itself is for lists whose items are what is written.
func itself[T any](v T) T { return v }

// floats is null where of returns nil.
func floats[T any](of func(T) []float32) value[T] {
	return value[T]{typ: reflect.TypeFor[[]float32], write: func(out *buffer, from T) {
		v := of(from)
		if v == nil {
			out.null()
			return
		}
		out.b = appendFloats(append(out.b, '['), v)
		out.endList()
	}}
}

// items is a list of E whose items append appends, each followed by a comma.
func items[E, T any](appendTo func(T, []byte) []byte) value[T] {
	return value[T]{typ: reflect.TypeFor[[]E], write: func(out *buffer, from T) {
		out.b = appendTo(from, append(out.b, '['))
		out.endList()
	}}
}

// ones is n times 1.
func ones[T any](n func(T) int) value[T] {
	return items[int](func(from T, b []byte) []byte { return repeat(b, "1,", n(from)) })
}
