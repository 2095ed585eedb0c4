package jinja

import (
	"strings"
	"unicode/utf8"
)

// stripped removes characters from the ends of a text: blanks, where chars is None.
func stripped(s string, chars any, left, right bool) string {
	cut := isSpace
	if chars != nil {
		set, ok := asText(chars)
		if !ok {
			refuseUndefined(chars)
			fail("strip arg must be None or str")
		}
		cut = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, cut)
	}
	if right {
		s = strings.TrimRightFunc(s, cut)
	}
	return s
}

// split is split, or rsplit, which counts from the end.
func split(backwards bool) run {
	return func(m *machine, a []any) any {
		s, most := m.text(a[0]), integer(a[2])
		if most < 0 {
			most = len(s) + 1
		}
		if a[1] == nil {
			return m.texts(splitBlanks(s, most, backwards))
		}
		sep := m.text(a[1])
		switch {
		case sep == "":
			fail("empty separator")
		case backwards:
			return m.texts(splitBack(s, sep, most))
		}
		return m.texts(strings.SplitN(s, sep, most+1))
	}
}

func splitBack(s, sep string, most int) []string {
	parts := strings.Split(s, sep)
	if first := len(parts) - most; first > 1 {
		parts = append([]string{strings.Join(parts[:first], sep)}, parts[first:]...)
	}
	return parts
}

// splitBlanks splits at runs of blanks, at most so often.
func splitBlanks(s string, most int, backwards bool) (parts []string) {
	if backwards {
		return splitBlanksBack(s, most)
	}
	s = strings.TrimLeftFunc(s, isSpace)
	for s != "" && len(parts) < most {
		i := strings.IndexFunc(s, isSpace)
		if i < 0 {
			break
		}
		parts = append(parts, s[:i])
		s = strings.TrimLeftFunc(s[i:], isSpace)
	}
	if s != "" {
		if len(parts) < most {
			s = strings.TrimRightFunc(s, isSpace)
		}
		parts = append(parts, s)
	}
	return parts
}

func splitBlanksBack(s string, most int) []string {
	var back []string
	s = strings.TrimRightFunc(s, isSpace)
	for s != "" && len(back) < most {
		i := strings.LastIndexFunc(s, isSpace)
		if i < 0 {
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		back = append(back, s[i+n:])
		s = strings.TrimRightFunc(s[:i], isSpace)
	}
	if s != "" {
		back = append(back, s)
	}
	parts := make([]string, len(back))
	for i, part := range back {
		parts[len(back)-1-i] = part
	}
	return parts
}

// splitLines splits at every kind of line end that Python knows.
func splitLines(s string, keep bool) (lines []string) {
	for s != "" {
		i := strings.IndexFunc(s, endsLine)
		if i < 0 {
			return append(lines, s)
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			lines = append(lines, s[:i+n])
		} else {
			lines = append(lines, s[:i])
		}
		s = s[i+n:]
	}
	return lines
}

func endsLine(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// partition cuts a text at a separator, the first or the last one.
func partition(last bool) run {
	return func(m *machine, a []any) any {
		s, sep := m.text(a[0]), m.text(a[1])
		if sep == "" {
			fail("empty separator")
		}
		i := strings.Index(s, sep)
		if last {
			i = strings.LastIndex(s, sep)
		}
		switch {
		case i >= 0:
			return &tuple{items: []any{s[:i], sep, s[i+len(sep):]}}
		case last:
			return &tuple{items: []any{"", "", s}}
		}
		return &tuple{items: []any{s, "", ""}}
	}
}

func expandTabs(m *machine, a []any) any {
	s, size := m.text(a[0]), integer(a[1])
	if size > 0 {
		m.fill(strings.Count(s, "\t") * min(size, maxWork))
	}
	var b strings.Builder
	column := 0
	for _, r := range s {
		switch {
		case r == '\t' && size > 0:
			n := size - column%size
			m.append(&b, m.repeated(" ", n))
			column += n
		case r == '\t':
		default:
			b.WriteRune(r)
			if column++; r == '\n' || r == '\r' {
				column = 0
			}
		}
	}
	return b.String()
}
