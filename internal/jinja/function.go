package jinja

import (
	"strconv"
	"strings"
)

// function is one of Jinja's or Python's. Its filters and methods take what they are applied to as the first argument.
type function struct {
	name       string
	parameters []namedValue // with their defaults
	required   int          // so many have none
	rest       bool         // the last but one, or the last, takes all further positional arguments
	keywords   bool         // the last takes all further named arguments
	run        func(m *machine, a []any) any
}

// define reads a signature: the name, parameters, those with a default, *rest, **keywords. run gets an argument for
// each of them: a tuple for *rest, a dict for **keywords.
func define(signature string, run func(m *machine, a []any) any) *function {
	words := strings.Fields(signature)
	f := &function{name: words[0], run: run}
	for _, word := range words[1:] {
		name, value, optional := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, "**"):
			f.keywords = true
		case strings.HasPrefix(word, "*"):
			f.rest = true
		case optional:
			f.parameters = append(f.parameters, namedValue{name, constantText(value)})
		default:
			f.required++
			f.parameters = append(f.parameters, namedValue{name: name})
		}
	}
	return f
}

// constantText is the value of a default in a signature.
func constantText(s string) any {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	switch s {
	case "None":
		return nil
	case "True":
		return true
	case "False":
		return false
	}
	return strings.Trim(s, "'")
}

// table makes functions of signatures.
func table(rows map[string]func(m *machine, a []any) any) map[string]*function {
	out := map[string]*function{}
	for signature, run := range rows {
		f := define(signature, run)
		for _, name := range strings.Split(f.name, "/") { // all its names
			out[name] = f
		}
	}
	return out
}

func (f *function) call(m *machine, a []any, named []namedValue) any {
	bound := make([]any, len(f.parameters))
	given := copy(bound, a)
	var rest []any
	if len(a) > given {
		if !f.rest {
			fail("%s() takes at most %d arguments, %d are given", f.name, len(f.parameters), len(a))
		}
		rest = a[given:]
	}
	set := make([]bool, len(bound))
	keywords := newDict()
	for _, n := range named {
		i := f.parameter(n.name)
		switch {
		case i >= 0 && (i < given || set[i]):
			fail("%s() got multiple values for argument %s", f.name, repr(n.name))
		case i >= 0:
			bound[i], set[i] = n.value, true
		case f.keywords:
			keywords.put(n.name, n.value)
		default:
			fail("%s() got an unexpected keyword argument %s", f.name, repr(n.name))
		}
	}
	for i := given; i < len(bound); i++ {
		if !set[i] {
			if i < f.required {
				fail("%s() misses the argument %s", f.name, repr(f.parameters[i].name))
			}
			bound[i] = f.parameters[i].value
		}
	}
	if f.rest {
		bound = append(bound, &tuple{items: rest})
	}
	if f.keywords {
		bound = append(bound, keywords)
	}
	m.deeper()
	v := f.run(m, bound)
	m.depth--
	return v
}

func (f *function) parameter(name string) int {
	for i, p := range f.parameters {
		if p.name == name {
			return i
		}
	}
	return -1
}

// bound is a method of a value.
type bound struct {
	f    *function
	self any
}

func (b *bound) call(m *machine, a []any, named []namedValue) any {
	return alike(b.self, b.f.call(m, append([]any{b.self}, a...), named))
}

// alike marks what a method of a text returned as safe, where the text is.
func alike(of, v any) any {
	if _, safe := of.(markup); !safe {
		return v
	}
	switch v := v.(type) {
	case string:
		return markup(v)
	case *list:
		for i := range v.items {
			v.items[i] = alike(of, v.items[i])
		}
	case *tuple:
		for i := range v.items {
			v.items[i] = alike(of, v.items[i])
		}
	}
	return v
}

func (m *machine) call(of any, a []any, named []namedValue) any {
	f, ok := of.(callable)
	if !ok {
		refuseUndefined(of)
		fail("'%s' object is not callable", typeName(of))
	}
	return f.call(m, a, named)
}

// attribute is v.name: an attribute or a method, else what a dict has under the name. Else it is undefined.
func (m *machine) attribute(v any, name string) any {
	refuseUndefined(v)
	if found, ok := m.member(v, name); ok {
		return found
	}
	if d, ok := v.(*dict); ok {
		if found, ok := d.get(name); ok {
			return found
		}
	}
	return missing(v, name)
}

// member returns an attribute or a method.
func (m *machine) member(v any, name string) (any, bool) {
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		return unsafe(v, name), true
	}
	if a, ok := v.(attributed); ok {
		return a.attribute(m, name)
	}
	if t, ok := v.(*tuple); ok {
		for i, n := range t.names {
			if n == name {
				return t.items[i], true
			}
		}
	}
	kind := typeName(v)
	if kind == "Markup" {
		kind = "str"
	}
	if f, ok := m.methods[kind][name]; ok {
		return &bound{f, v}, true
	}
	if strings.Contains(mutators[kind], " "+name+" ") {
		return unsafe(v, name), true
	}
	return nil, false
}

// mutators are the methods that the sandbox of transformers keeps from templates.
var mutators = map[string]string{
	"list": " append clear pop reverse insert sort extend remove ",
	"dict": " clear pop popitem setdefault update ",
}

func unsafe(v any, name string) any {
	return &undefined{reason: "access to attribute " + repr(name) + " of '" + typeName(v) + "' object is unsafe"}
}
