package jinja

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var (
	floatLiteral = regexp.MustCompile(
		`^(?i)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+\-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)`)
	integerLiteral = regexp.MustCompile(
		`^(?i)(?:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*)`)
)

func (l *lexer) number(rest string) {
	// A number behind a dot is an index: x.0.1.
	if text := floatLiteral.FindString(rest); text != "" && l.source[l.pos-1] != '.' {
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil && f == 0 {
			fail("%s is no number", text)
		}
		l.emit(token{kind: number, text: text, value: f, pos: l.pos})
		l.pos += len(text)
		return
	}
	text := integerLiteral.FindString(rest)
	if len(text) > maxDigits {
		fail("a number of %d digits", len(text))
	}
	z, ok := new(big.Int).SetString(text, 0)
	if strings.Trim(text, "0_") == "" {
		z, ok = new(big.Int), true // SetString takes 00 for octal
	}
	if !ok {
		fail("%s is no number", text)
	}
	l.emit(token{kind: number, text: text, value: normal(z), pos: l.pos})
	l.pos += len(text)
}

func (l *lexer) quoted(rest string) {
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			l.emit(token{kind: str, text: rest[:i+1], value: unescape(rest[1:i]), pos: l.pos})
			l.pos += i + 1
			return
		}
	}
	fail("a string has no closing %c", rest[0])
}

// unescape reads the escapes of a Python string.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if s[0] != '\\' || len(s) == 1 {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		text, size := escape(s)
		b.WriteString(text)
		s = s[size:]
	}
	return b.String()
}

var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v",
	'\\': `\`, '\'': "'", '"': `"`, '\n': ""}

var hexDigits = map[byte]int{'x': 2, 'u': 4, 'U': 8}

// escape returns what the escape means that s begins with, and its size.
func escape(s string) (text string, size int) {
	if text, ok := simpleEscapes[s[1]]; ok {
		return text, 2
	}
	if n, ok := hexDigits[s[1]]; ok {
		if len(s) < 2+n {
			fail(`the escape %s is cut off`, s)
		}
		r, err := strconv.ParseUint(s[2:2+n], 16, 32)
		if err != nil || r > utf8.MaxRune {
			fail(`the escape %s is none`, s[:2+n])
		}
		return string(rune(r)), 2 + n
	}
	n := 1
	for n < len(s) && n < 4 && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	if n > 1 {
		r, _ := strconv.ParseUint(s[1:n], 8, 32) // up to three octal digits
		return string(rune(r)), n
	}
	if s[1] == 'N' {
		fail(`the escape \N{…} of a character's name is not supported`)
	}
	return s[:1], 1 // any other backslash is one
}
