package export

import "unicode/utf8"

// plain marks the bytes that stand for themselves inside a JSON string.
var plain = func() (p [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		p[c] = c != '"' && c != '\\'
	}
	return p
}()

// appendString appends s as a JSON string (RFC 8259 §7), byte for byte as encoding/json
// does without HTML escaping: bytes that are no UTF-8 become U+FFFD, and the line
// separators U+2028 and U+2029 are escaped, because JavaScript ends a line there.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0 // start of the run not yet appended
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if escape := escaped(r, size); escape != "" {
			b = append(append(b, s[from:i]...), escape...)
			from = i + size
		}
		i += size
	}
	return append(append(b, s[from:]...), '"')
}

// escaped returns the escape of a rune of the given encoded size, "" for none.
func escaped(r rune, size int) string {
	const hex = "0123456789abcdef"
	switch {
	case r == '"':
		return `\"`
	case r == '\\':
		return `\\`
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == '\b':
		return `\b`
	case r == '\f':
		return `\f`
	case r < ' ':
		return string([]byte{'\\', 'u', '0', '0', hex[r>>4], hex[r&15]})
	case r == utf8.RuneError && size == 1:
		return `\ufffd`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	}
	return ""
}
