package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Python's case of letters and classes of characters.

// special are letters that become several in another case.
var (
	specialUpper = map[rune]string{'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'և': "ԵՒ", 'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL",
		'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST"}
	specialTitle = map[rune]string{'ß': "Ss", 'ŉ': "ʼN", 'ǰ': "J̌", 'և': "Եւ", 'ﬀ': "Ff", 'ﬁ': "Fi", 'ﬂ': "Fl",
		'ﬃ': "Ffi", 'ﬄ': "Ffl", 'ﬅ': "St", 'ﬆ': "St"}
)

// mapped changes each letter, those of special to several.
func mapped(s string, special map[rune]string, change func(rune) rune) string {
	var b strings.Builder
	for _, r := range s {
		if several, ok := special[r]; ok {
			b.WriteString(several)
		} else {
			b.WriteRune(change(r))
		}
	}
	return b.String()
}

func upper(s string) string { return mapped(s, specialUpper, unicode.ToUpper) }

func lower(s string) string {
	if strings.ContainsAny(s, "Σİ") {
		return lowerGreek([]rune(s))
	}
	return strings.ToLower(s)
}

// lowerGreek writes a sigma at the end of a word as one.
func lowerGreek(letters []rune) string {
	var b strings.Builder
	for i, r := range letters {
		before := i > 0 && unicode.IsLetter(letters[i-1])
		after := i+1 < len(letters) && unicode.IsLetter(letters[i+1])
		switch {
		case r == 'Σ' && before && !after:
			b.WriteRune('ς')
		case r == 'İ':
			b.WriteString("i̇")
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func titled(letter string) string { return mapped(letter, specialTitle, unicode.ToTitle) }

// capitalize writes the first letter large, all others small.
func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return titled(s[:n]) + lower(s[n:])
}

// title is Python's str.title: a letter is large where none stands before it.
func title(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		switch {
		case inside:
			b.WriteString(lower(string(r)))
		default:
			b.WriteString(titled(string(r)))
		}
		inside = cased(r)
	}
	return b.String()
}

func cased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) ||
		unicode.In(r, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func swapCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteString(lower(string(r)))
		} else {
			b.WriteString(upper(string(r)))
		}
	}
	return b.String()
}

func isLower(s string) bool { return oneCase(s, unicode.IsLower, unicode.Other_Lowercase) }
func isUpper(s string) bool { return oneCase(s, unicode.IsUpper, unicode.Other_Uppercase) }

// oneCase says whether there are cased letters and all are of the case.
func oneCase(s string, is func(rune) bool, other *unicode.RangeTable) bool {
	some := false
	for _, r := range s {
		if cased(r) {
			if !is(r) && !unicode.Is(other, r) {
				return false
			}
			some = true
		}
	}
	return some
}

// isTitle says whether large letters follow no letter and small ones do.
func isTitle(s string) bool {
	some, inside := false, false
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			if inside {
				return false
			}
			some, inside = true, true
		case unicode.IsLower(r):
			if !inside {
				return false
			}
			some = true
		default:
			inside = false
		}
	}
	return some
}

func isAlnum(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// decimal is the value of a decimal digit of any script, -1 for others.
func decimal(r rune) int {
	if r >= '0' && r <= '9' {
		return int(r - '0')
	}
	if r < 0x80 || !unicode.IsDigit(r) {
		return -1
	}
	n := 0 // digits come in tens
	for unicode.IsDigit(r - 1) {
		r--
		n++
	}
	return n % 10
}

// all says whether a text is not empty and all its characters are of a class.
func all(s string, is func(rune) bool) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !is(r) })
}

func isIdentifier(s string) bool {
	return all(s, isWord) && !unicode.IsDigit([]rune(s)[0])
}
