package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Object is a dict with its order, as a value of Render.
type Object []Member

// Member is an entry of an Object.
type Member struct {
	Key   string
	Value any
}

// fromGo turns a value of Render into one of the interpreter.
func fromGo(v any) any {
	switch v := v.(type) {
	case []any:
		l := &list{items: make([]any, len(v))}
		for i, item := range v {
			l.items[i] = fromGo(item)
		}
		return l
	case map[string]any:
		var o Object
		for key, value := range v {
			o = append(o, Member{key, value})
		}
		slices.SortFunc(o, func(a, b Member) int { return strings.Compare(a.Key, b.Key) })
		return fromGo(o)
	case Object:
		d := newDict()
		for _, member := range v {
			d.put(member.Key, fromGo(member.Value))
		}
		return d
	case string:
		return strings.ToValidUTF8(v, "\uFFFD")
	case nil, bool, int, float64:
		return v
	}
	panic(fmt.Sprintf("a value of type %T", v))
}

// MarshalJSON writes the object in its order, and floats so that they are read as floats again.
func (o Object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, member := range o {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := json.Marshal(member.Key)
		if err != nil {
			return nil, err
		}
		value, err := encode(member.Value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case float64:
		text, _ := jsonScalar(v)
		return []byte(text), nil
	case []any:
		items := make([]json.RawMessage, len(v))
		for i, item := range v {
			var err error
			if items[i], err = encode(item); err != nil {
				return nil, err
			}
		}
		return json.Marshal(items)
	}
	return json.Marshal(v)
}

// UnmarshalJSON reads an object with the order of its members, and those of the objects in it.
func (o *Object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d)
	if err != nil {
		return err
	}
	object, ok := v.(Object)
	if !ok {
		return errors.New("no JSON object")
	}
	*o = object
	return nil
}

func decode(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if n, err := t.Int64(); err == nil {
			return int(n), nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			return decodeItems(d)
		}
		return decodeMembers(d)
	}
	return t, nil
}

func decodeItems(d *json.Decoder) (any, error) {
	items := []any{}
	for d.More() {
		item, err := decode(d)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return items, err
}

func decodeMembers(d *json.Decoder) (any, error) {
	o := Object{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := decode(d)
		if err != nil {
			return nil, err
		}
		o = append(o, Member{key.(string), value}) // keys are texts, or the decoder had failed
	}
	_, err := d.Token()
	return o, err
}
