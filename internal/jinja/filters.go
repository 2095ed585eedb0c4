package jinja

import (
	"html"
	"math"
	"slices"
	"strings"
)

type run = func(m *machine, a []any) any

// filters are Jinja2's but for pprint, random, urlize and wordwrap.
var filters = table(map[string]run{
	"abs value":        abs,
	"attr value name":  attr,
	"capitalize value": onText(capitalize),
	"center value width=80": func(m *machine, a []any) any {
		return alike(a[0], m.pad(m.str(a[0]), integer(a[1]), " ", '^'))
	},
	"length/count value": func(m *machine, a []any) any {
		return m.length(a[0])
	},
	"default/d value default_value='' boolean=False":           fallback,
	"dictsort value case_sensitive=False by=key reverse=False": dictsort,
	"escape/e value":                    escaped,
	"filesizeformat value binary=False": fileSize,
	"first value":                       first,
	"float value default=None":          toFloat,
	"forceescape value": func(m *machine, a []any) any {
		return markup(m.escape(m.str(a[0])))
	},
	"format value *args **kwargs":              formatFilter,
	"indent s width=4 first=False blank=False": indent,
	"int value default=0 base=10":              toInt,
	"join value d='' attribute=None":           join,
	"last value":                               last,
	"list value": func(m *machine, a []any) any {
		return &list{m.items(a[0])}
	},
	"lower value":                           onText(lower),
	"replace s old new count=None":          replaceFilter,
	"round value precision=0 method=common": round,
	"safe value": func(m *machine, a []any) any {
		return markup(m.str(a[0]))
	},
	"string value": func(m *machine, a []any) any {
		return m.soft(a[0])
	},
	"striptags value": striptags,
	"title value":     titleFilter,
	"tojson x ensure_ascii=False indent=None separators=None sort_keys=False": toJSON,
	"trim value chars=None": trim,
	"truncate s length=255 killwords=False end=... leeway=None": truncate,
	"upper value":              onText(upper),
	"urlencode value":          urlencode,
	"wordcount s":              wordcount,
	"xmlattr d autospace=True": xmlattr,

	"batch value linecount fill_with=None":                      batch,
	"groupby value attribute default=None case_sensitive=False": groupby,
	"items value":              itemsFilter,
	"map value *args **kwargs": mapFilter,
	"max value case_sensitive=False attribute=None":                extreme(">"),
	"min value case_sensitive=False attribute=None":                extreme("<"),
	"reject value *args **kwargs":                                  chosen(false, false),
	"rejectattr value *args **kwargs":                              chosen(false, true),
	"reverse value":                                                reverse,
	"select value *args **kwargs":                                  chosen(true, false),
	"selectattr value *args **kwargs":                              chosen(true, true),
	"slice value slices fill_with=None":                            sliceFilter,
	"sort value reverse=False case_sensitive=False attribute=None": sortFilter,
	"sum iterable attribute=None start=0":                          sum,
	"unique value case_sensitive=False attribute=None":             unique,
})

// soft is a value as a text; one that is marked as safe stays so.
func (m *machine) soft(v any) any {
	if safe, ok := v.(markup); ok {
		return safe
	}
	return m.str(v)
}

// onText is a filter that changes a text. One that is marked as safe stays so.
func onText(change func(string) string) run {
	return func(m *machine, a []any) any {
		s := m.str(a[0])
		m.fill(4 * len(s))
		return alike(a[0], change(s))
	}
}

func abs(m *machine, a []any) any {
	refuseUndefined(a[0])
	if f, ok := a[0].(float64); ok {
		return math.Abs(f)
	}
	z, ok := asBig(a[0])
	if !ok {
		fail("bad operand type for abs(): '%s'", typeName(a[0]))
	}
	if z.Sign() < 0 {
		return m.sign("-", a[0])
	}
	return normal(z)
}

func attr(m *machine, a []any) any {
	refuseUndefined(a[0])
	name := m.str(a[1])
	if v, ok := m.member(a[0], name); ok {
		return v
	}
	return missing(a[0], name)
}

func fallback(m *machine, a []any) any {
	if _, ok := a[0].(*undefined); ok || m.truth(a[2]) && !m.truth(a[0]) {
		return a[1]
	}
	return a[0]
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

func (m *machine) escape(s string) string {
	m.fill(5 * len(s))
	return htmlEscapes.Replace(s)
}

func escaped(m *machine, a []any) any {
	if safe, ok := a[0].(markup); ok {
		return safe
	}
	return markup(m.escape(m.str(a[0])))
}

func formatFilter(m *machine, a []any) any {
	args, kwargs := a[1].(*tuple), a[2].(*dict)
	switch {
	case len(args.items) > 0 && len(kwargs.keys) > 0:
		fail("can't handle positional and keyword arguments at the same time")
	case len(kwargs.keys) > 0:
		return m.format(m.str(a[0]), kwargs)
	}
	return m.format(m.str(a[0]), args)
}

func indent(m *machine, a []any) any {
	refuseUndefined(a[0])
	s, ok := asText(a[0])
	if !ok {
		fail("unsupported operand type(s) for +=: '%s' and 'str'", typeName(a[0]))
	}
	prefix, ok := asText(a[1])
	if !ok {
		prefix = m.repeated(" ", integer(a[1]))
	}
	lines := splitLines(s+"\n", false)
	m.fill(len(s) + len(lines)*len(prefix))
	for i, line := range lines {
		if i > 0 && (line != "" || m.truth(a[3])) {
			lines[i] = prefix + line
		}
	}
	s = strings.Join(lines, "\n")
	if m.truth(a[2]) {
		s = prefix + s
	}
	return alike(a[0], s)
}

// repeated is a text n times.
func (m *machine) repeated(s string, n int) string {
	v, _ := m.repeat(s, n)
	return v.(string)
}

func replaceFilter(m *machine, a []any) any {
	count := -1
	if a[3] != nil {
		count = integer(a[3])
	}
	return m.replace(m.str(a[0]), m.str(a[1]), m.str(a[2]), count)
}

func (m *machine) replace(s, old, with string, count int) string {
	n := strings.Count(s, old)
	if count >= 0 {
		n = min(n, count)
	}
	m.fill(len(s) + n*len(with))
	return strings.Replace(s, old, with, count)
}

func trim(m *machine, a []any) any { return alike(a[0], stripped(m.str(a[0]), a[1], true, true)) }

func truncate(m *machine, a []any) any {
	end := m.str(a[3])
	length, leeway := integer(a[1]), 5
	if a[4] != nil {
		leeway = integer(a[4])
	}
	room := length - m.length(end)
	switch {
	case room < 0 || leeway < 0:
		fail("length must be at least that of the end, leeway at least 0")
	case m.length(a[0]) <= length+leeway:
		return a[0]
	}
	s := m.sliceText(m.text(a[0]), [3]any{nil, room, nil})
	if i := strings.LastIndexByte(s, ' '); i >= 0 && !m.truth(a[2]) {
		s = s[:i]
	}
	return alike(a[0], m.concat(s, end))
}

func urlencode(m *machine, a []any) any {
	d, isDict := a[0].(*dict)
	_, isText := asText(a[0])
	if isText || !isDict && !iterable(a[0]) {
		return m.quote(m.str(a[0]), "/", "%20")
	}
	var pairs any = a[0]
	if isDict {
		pairs = &view{"items", d}
	}
	var parts []string
	for _, item := range m.items(pairs) {
		pair := m.items(item)
		if len(pair) != 2 {
			fail("urlencode takes pairs")
		}
		parts = append(parts, m.quote(m.str(pair[0]), "", "+")+"="+m.quote(m.str(pair[1]), "", "+"))
	}
	return strings.Join(parts, "&")
}

// quote is urllib's for a part of a URL.
func (m *machine) quote(s, safe, blank string) string {
	m.fill(3 * len(s))
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			strings.IndexByte("_.-~"+safe, c) >= 0:
			b.WriteByte(c)
		case c == ' ':
			b.WriteString(blank)
		default:
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
		}
	}
	return b.String()
}

func wordcount(m *machine, a []any) any {
	s := m.str(a[0])
	m.fill(len(s))
	return len(strings.FieldsFunc(s, func(r rune) bool { return !isAlnum(r) && r != '_' }))
}

func xmlattr(m *machine, a []any) any {
	d, ok := a[0].(*dict)
	if !ok {
		refuseUndefined(a[0])
		fail("'%s' object has no attribute 'items'", typeName(a[0]))
	}
	var parts []string
	for i, value := range d.values {
		if _, ok := value.(*undefined); ok || value == nil {
			continue
		}
		key, ok := asText(d.keys[i])
		if !ok || strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			fail("invalid character in attribute name: %s", m.repr(d.keys[i]))
		}
		quoted, _ := asText(escaped(m, []any{value}))
		parts = append(parts, m.escape(key)+`="`+quoted+`"`)
	}
	text := strings.Join(parts, " ")
	if text != "" && m.truth(a[1]) {
		text = " " + text
	}
	return text
}

func striptags(m *machine, a []any) any {
	s := m.without(m.str(a[0]), "<!--", "-->")
	s = m.without(s, "<", ">")
	return html.UnescapeString(strings.Join(strings.FieldsFunc(s, isSpace), " "))
}

// without removes what stands between two marks, with the marks.
func (m *machine) without(s, open, end string) string {
	for {
		m.fill(len(s))
		before, rest, found := strings.Cut(s, open)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return s
		}
		s = before + after
	}
}

func titleFilter(m *machine, a []any) any {
	s := m.str(a[0])
	m.fill(4 * len(s))
	var b strings.Builder
	begins := true
	for _, r := range s {
		switch letter := string(r); {
		case begins:
			b.WriteString(upper(letter))
		default:
			b.WriteString(lower(letter))
		}
		begins = isSpace(r) || strings.ContainsRune("-({[<", r)
	}
	return b.String()
}

func fileSize(m *machine, a []any) any {
	size, ok := m.float(a[0])
	if !ok {
		fail("could not convert %s to a float", m.repr(a[0]))
	}
	base, units := 1000.0, strings.Fields("kB MB GB TB PB EB ZB YB")
	if m.truth(a[1]) {
		base, units = 1024, strings.Fields("KiB MiB GiB TiB PiB EiB ZiB YiB")
	}
	switch {
	case size == 1:
		return "1 Byte"
	case size < base:
		return m.str(toInt(m, []any{size, 0, 10})) + " Bytes"
	}
	unit := base
	i := 0
	for ; i < len(units)-1 && size >= unit*base; i++ {
		unit *= base
	}
	return m.format("%.1f "+units[i], &tuple{items: []any{base * size / (unit * base)}})
}

// sorted sorts what belongs to keys by them.
func (m *machine) sorted(keys, items []any, backwards bool) []any {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		if backwards {
			i, j = j, i
		}
		return m.order(keys[i], keys[j])
	})
	out := make([]any, len(items))
	for n, i := range order {
		out[n] = items[i]
	}
	return out
}

// order compares for a sort.
func (m *machine) order(a, b any) int {
	switch {
	case m.ordered("<", a, b):
		return -1
	case m.ordered("<", b, a):
		return 1
	}
	return 0
}
