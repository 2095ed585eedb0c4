package export

import (
	"reflect"
	"strconv"
	"strings"
)

// field is one field of a JSON object that is made from a T: everything that is said of it
// anywhere. What readers see of it, in docs/export.md, is checked against it.
type field[T any] struct {
	name  string
	value value[T]
	about string
}

// value says how a value is taken from a T; values.go has the kinds there are.
type value[T any] struct {
	typ   func() reflect.Type // of what it reads back as
	write func(*buffer, T)
	has   func(*Options, T) bool // whether there is one; nil: always
}

// fields are those of an object, in their order.
type fields[T any] []field[T]

// writer returns what appends an object. The first field of an object is always there.
func (fs fields[T]) writer() func(*buffer, T) {
	keys := make([]string, len(fs))
	for i := range fs {
		keys[i] = "," + strconv.Quote(fs[i].name) + ":"
	}
	keys[0] = "{" + keys[0][1:]
	return func(out *buffer, from T) {
		for i := range fs {
			f := &fs[i]
			if f.value.has != nil && !f.value.has(out.o, from) {
				continue
			}
			out.b = append(out.b, keys[i]...)
			f.value.write(out, from)
			if out.infinite {
				out.fail("%s is not finite", f.name)
			}
		}
		out.b = append(out.b, '}')
	}
}

// typ returns the struct type of an object. Its tags say the names for JSON, the columns
// of Parquet, where lists and what can be null or absent are optional, and the meaning.
func (fs fields[T]) typ() reflect.Type {
	columns := make([]reflect.StructField, len(fs))
	for i, f := range fs {
		t, key, column := f.value.typ(), f.name, f.name
		if f.value.has != nil {
			key += ",omitempty"
			if t.Kind() != reflect.Slice {
				t = reflect.PointerTo(t)
			}
		}
		switch t.Kind() {
		case reflect.Slice:
			column += ",optional,list"
		case reflect.Pointer:
			column += ",optional"
		}
		tag := "json:" + strconv.Quote(key) + " parquet:" + strconv.Quote(column) + " about:" + strconv.Quote(f.about)
		name := strings.ToUpper(f.name[:1]) + f.name[1:] // one that packages for JSON and Parquet see
		columns[i] = reflect.StructField{Name: name, Type: t, Tag: reflect.StructTag(tag)}
	}
	return reflect.StructOf(columns)
}

// on returns the fields of a U as those of a T that leads to one.
func on[T, U any](to func(T) U, of fields[U]) fields[T] {
	out := make(fields[T], len(of))
	for i, f := range of {
		v := value[T]{typ: f.value.typ, write: func(out *buffer, from T) { f.value.write(out, to(from)) }}
		if f.value.has != nil {
			v.has = func(o *Options, from T) bool { return f.value.has(o, to(from)) }
		}
		out[i] = field[T]{f.name, v, f.about}
	}
	return out
}
