package jinja

import (
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// methods are Python's by type, without those that change their object, and encode, maketrans and translate.
var methods = map[string]map[string]*function{
	"str":   textMethods,
	"list":  listMethods,
	"tuple": sequenceMethods,
	"dict": table(map[string]run{
		"get self key default=None": func(m *machine, a []any) any {
			if v, ok := a[0].(*dict).get(m.hash(a[1])); ok {
				return v
			}
			return a[2]
		},
		"keys self":   func(_ *machine, a []any) any { return &view{"keys", a[0].(*dict)} },
		"values self": func(_ *machine, a []any) any { return &view{"values", a[0].(*dict)} },
		"items self":  func(_ *machine, a []any) any { return &view{"items", a[0].(*dict)} },
		"copy self": func(m *machine, a []any) any {
			d := newDict()
			m.merge(d, a[0].(*dict))
			return d
		},
		"fromkeys self keys value=None": func(m *machine, a []any) any {
			d := newDict()
			for _, key := range m.items(a[1]) {
				m.put(d, key, a[2])
			}
			return d
		},
	}),
	"range": sequenceMethods,
	"int": table(map[string]run{
		"bit_length self": func(_ *machine, a []any) any { z, _ := asBig(a[0]); return z.BitLen() },
	}),
	"float": table(map[string]run{
		"is_integer self": func(_ *machine, a []any) any {
			return new(big.Float).SetFloat64(a[0].(float64)).IsInt()
		},
	}),
}

var (
	listMethods = table(map[string]run{
		"count self value":                   countItems,
		"index self value start=0 stop=None": indexItem,
		"copy self":                          func(m *machine, a []any) any { return &list{m.items(a[0])} },
	})
	sequenceMethods = table(map[string]run{
		"count self value":                   countItems,
		"index self value start=0 stop=None": indexItem,
	})
)

func countItems(m *machine, a []any) any {
	n := 0
	for _, item := range m.items(a[0]) {
		if m.equal(item, a[1]) {
			n++
		}
	}
	return n
}

func indexItem(m *machine, a []any) any {
	items := m.items(a[0])
	start, stop, _ := indices(len(items), [3]any{a[2], a[3], nil})
	for i := start; i < stop; i++ {
		if m.equal(items[i], a[1]) {
			return i
		}
	}
	fail("%s is not in the %s", m.repr(a[1]), typeName(a[0]))
	return nil
}

var textMethods = table(map[string]run{
	"capitalize self":                 onText(capitalize),
	"casefold self":                   onText(foldCase),
	"center self width fillchar=None": padding('^'),
	"count self sub start=None end=None": func(m *machine, a []any) any {
		part, _ := m.part(a)
		return strings.Count(part, m.text(a[1]))
	},
	"endswith self suffix start=None end=None": affix(strings.HasSuffix),
	"expandtabs self tabsize=8":                expandTabs,
	"find self sub start=None end=None":        position(strings.Index, false),
	"format self *args **kwargs": func(m *machine, a []any) any {
		return m.fields(m.text(a[0]), a[1].(*tuple), a[2])
	},
	"format_map self mapping": func(m *machine, a []any) any {
		return m.fields(m.text(a[0]), &tuple{}, a[1])
	},
	"index self sub start=None end=None": position(strings.Index, true),
	"isalnum self":                       class(isAlnum),
	"isalpha self":                       class(unicode.IsLetter),
	"isascii self": func(m *machine, a []any) any {
		return !strings.ContainsFunc(m.text(a[0]), isWide)
	},
	"isdecimal self":    class(unicode.IsDigit),
	"isdigit self":      class(func(r rune) bool { return unicode.IsDigit(r) || strings.ContainsRune(digits, r) }),
	"isidentifier self": func(m *machine, a []any) any { return isIdentifier(m.text(a[0])) },
	"islower self":      func(m *machine, a []any) any { return isLower(m.text(a[0])) },
	"isnumeric self":    class(unicode.IsNumber),
	"isprintable self": func(m *machine, a []any) any {
		return !strings.ContainsFunc(m.text(a[0]), isControl)
	},
	"isspace self":                   class(isSpace),
	"istitle self":                   func(m *machine, a []any) any { return isTitle(m.text(a[0])) },
	"isupper self":                   func(m *machine, a []any) any { return isUpper(m.text(a[0])) },
	"join self iterable":             joinMethod,
	"ljust self width fillchar=None": padding('<'),
	"lower self":                     onText(lower),
	"lstrip self chars=None": func(m *machine, a []any) any {
		return stripped(m.text(a[0]), a[1], true, false)
	},
	"partition self sep": partition(false),
	"removeprefix self prefix": func(m *machine, a []any) any {
		return strings.TrimPrefix(m.text(a[0]), m.text(a[1]))
	},
	"removesuffix self suffix": func(m *machine, a []any) any {
		return strings.TrimSuffix(m.text(a[0]), m.text(a[1]))
	},
	"replace self old new count=-1": func(m *machine, a []any) any {
		return m.replace(m.text(a[0]), m.text(a[1]), m.text(a[2]), integer(a[3]))
	},
	"rfind self sub start=None end=None":  position(strings.LastIndex, false),
	"rindex self sub start=None end=None": position(strings.LastIndex, true),
	"rjust self width fillchar=None":      padding('>'),
	"rpartition self sep":                 partition(true),
	"rsplit self sep=None maxsplit=-1":    split(true),
	"rstrip self chars=None": func(m *machine, a []any) any {
		return stripped(m.text(a[0]), a[1], false, true)
	},
	"split self sep=None maxsplit=-1": split(false),
	"splitlines self keepends=False": func(m *machine, a []any) any {
		return m.texts(splitLines(m.text(a[0]), m.truth(a[1])))
	},
	"startswith self prefix start=None end=None": affix(strings.HasPrefix),
	"strip self chars=None": func(m *machine, a []any) any {
		return stripped(m.text(a[0]), a[1], true, true)
	},
	"swapcase self":    onText(swapCase),
	"title self":       onText(title),
	"upper self":       onText(upper),
	"zfill self width": zfill,
})

func foldCase(s string) string {
	return lower(mapped(s, specialFold, func(r rune) rune { return r }))
}

var specialFold = map[rune]string{'ß': "ss", 'ſ': "s", 'ς': "σ", 'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi",
	'ﬄ': "ffl", 'ﬅ': "st", 'ﬆ': "st"}

// digits are digits that are not decimal.
const digits = "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉①②③④⑤⑥⑦⑧⑨"

func isWide(r rune) bool    { return r > unicode.MaxASCII }
func isControl(r rune) bool { return !unicode.IsPrint(r) }

// text is an argument that must be a text.
func (m *machine) text(v any) string {
	s, ok := asText(v)
	if !ok {
		refuseUndefined(v)
		fail("must be str, not %s", typeName(v))
	}
	m.fill(len(s))
	return s
}

// texts is a list of texts.
func (m *machine) texts(parts []string) any {
	m.spend(len(parts))
	l := &list{make([]any, len(parts))}
	for i, part := range parts {
		l.items[i] = part
	}
	return l
}

func class(is func(rune) bool) run {
	return func(m *machine, a []any) any { return all(m.text(a[0]), is) }
}

// part returns what the arguments start and end, the third and the fourth, leave of a text, and where that begins in
// characters. It is not there where start lies behind the end of the text.
func (m *machine) part(a []any) (part string, from int) {
	s := m.text(a[0])
	if a[2] == nil && a[3] == nil {
		return s, 0
	}
	letters := []rune(s)
	start, stop, _ := indices(len(letters), [3]any{a[2], a[3], nil})
	if n, ok := asInt(a[2]); ok && n > len(letters) || start > stop {
		return "", -1
	}
	return string(letters[start:stop]), start
}

func position(find func(s, sub string) int, must bool) run {
	return func(m *machine, a []any) any {
		part, from := m.part(a)
		i := -1
		if from >= 0 {
			i = find(part, m.text(a[1]))
		}
		if i < 0 {
			if must {
				fail("substring not found")
			}
			return -1
		}
		return from + utf8.RuneCountInString(part[:i])
	}
}

// affix is startswith or endswith, of a text or one of several.
func affix(has func(s, with string) bool) run {
	return func(m *machine, a []any) any {
		part, from := m.part(a)
		several, ok := a[1].(*tuple)
		if !ok {
			return from >= 0 && has(part, m.text(a[1]))
		}
		return from >= 0 && slices.ContainsFunc(several.items, func(v any) bool { return has(part, m.text(v)) })
	}
}

func padding(align rune) run {
	return func(m *machine, a []any) any {
		fill := " "
		if a[2] != nil {
			fill = m.text(a[2])
		}
		return m.pad(m.text(a[0]), integer(a[1]), fill, align)
	}
}

// pad fills a text up to a width in characters, on the side that align leaves.
func (m *machine) pad(s string, width int, fill string, align rune) string {
	if utf8.RuneCountInString(fill) != 1 {
		fail("The fill character must be exactly one character long")
	}
	missing := width - m.length(s)
	if missing <= 0 {
		return s
	}
	left := 0
	switch align {
	case '>':
		left = missing
	case '^': // as str.center, whose odd blank moves with the width
		left = missing/2 + missing&width&1
	}
	return m.repeated(fill, left) + s + m.repeated(fill, missing-left)
}

func zfill(m *machine, a []any) any {
	s := m.text(a[0])
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[:1], s[1:]
	}
	return sign + m.pad(s, integer(a[1])-len(sign), "0", '>')
}

func joinMethod(m *machine, a []any) any {
	between := m.text(a[0])
	var b strings.Builder
	for i, item := range m.items(a[1]) {
		if i > 0 {
			m.append(&b, between)
		}
		s, ok := asText(item)
		if !ok {
			fail("sequence item %d: expected str instance, %s found", i, typeName(item))
		}
		m.append(&b, s)
	}
	return b.String()
}
