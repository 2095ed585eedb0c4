package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// dict is a dict of Python: any hashable keys, in the order in which they came.
type dict struct {
	keys, values []any
	index        map[any]int // by hash key
}

func newDict() *dict { return &dict{index: map[any]int{}} }

// put sets the value of a text.
func (d *dict) put(key string, value any) { d.set(key, key, value) }

func (d *dict) set(hash, key, value any) {
	if i, ok := d.index[hash]; ok {
		d.values[i] = value
		return
	}
	d.index[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *dict) get(hash any) (any, bool) {
	i, ok := d.index[hash]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *dict) pair(i int) *tuple { return &tuple{items: []any{d.keys[i], d.values[i]}} }

func (m *machine) put(d *dict, key, value any) {
	m.spend(1)
	d.set(m.hash(key), key, value)
}

// merge puts all of other into d.
func (m *machine) merge(d, other *dict) {
	for i, key := range other.keys {
		m.put(d, key, other.values[i])
	}
}

type noneKey struct{}
type undefinedKey struct{}
type bigKey string
type tupleKey string

// hash returns a value that is equal for keys that are equal: 1, 1.0 and true are one key.
func (m *machine) hash(key any) any {
	switch key := key.(type) {
	case nil:
		return noneKey{}
	case bool:
		if key {
			return 1
		}
		return 0
	case float64:
		if key == math.Trunc(key) && math.Abs(key) < 1<<62 {
			return int(key)
		}
		return key
	case *big.Int:
		return bigKey(key.String())
	case markup:
		return string(key)
	case *undefined:
		return undefinedKey{}
	case *tuple:
		m.deeper()
		var b strings.Builder
		for _, item := range key.items {
			m.spend(1)
			part := fmt.Sprintf("%T:%[1]v", m.hash(item))
			m.fill(len(part))
			fmt.Fprintf(&b, "%d:%s", len(part), part)
		}
		m.depth--
		return tupleKey(b.String())
	case *list, *dict, *view:
		fail("unhashable type: '%s'", typeName(key))
	}
	return key
}
