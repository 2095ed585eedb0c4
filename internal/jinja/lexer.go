package jinja

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	eof kind = iota
	data
	variableBegin
	variableEnd
	blockBegin
	blockEnd
	name
	str
	number
	operator
)

// token is a word of a template. Text is what is spelled; value is that of a literal.
type token struct {
	kind  kind
	text  string
	value any
	pos   int
}

// lexer cuts a template into tokens, as Jinja2's does with trim_blocks and lstrip_blocks: a line end behind a block
// or comment falls away, and so do blanks before one that begins a line.
type lexer struct {
	t      *Template
	source string
	tokens []token
	pos    int
	at     *int // where an error is reported
	// fresh says that what was read last ended a line, or that nothing was read.
	fresh bool
}

var (
	rawBegin = regexp.MustCompile(`^\{%[-+]?\s*raw\s*(-%\}|%\})`)
	rawEnd   = regexp.MustCompile(`\{%[-+]?\s*endraw\s*([-+]?%\})`)
)

func (l *lexer) lex() []token {
	l.fresh = true
	for {
		i := strings.IndexByte(l.source[l.pos:], '{')
		for i >= 0 && !opens(l.source[l.pos+i:]) {
			next := strings.IndexByte(l.source[l.pos+i+1:], '{')
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		if i < 0 {
			l.data(l.source[l.pos:])
			l.emit(token{kind: eof, pos: len(l.source)})
			return l.tokens
		}
		text := l.source[l.pos : l.pos+i]
		l.pos += i
		*l.at = l.pos
		l.tag(text)
	}
}

// opens says whether s begins with the opening bracket of a tag.
func opens(s string) bool { return len(s) > 1 && strings.IndexByte("{%#", s[1]) >= 0 }

func (l *lexer) emit(t token) { l.tokens = append(l.tokens, t) }

func (l *lexer) data(text string) {
	if text != "" {
		l.emit(token{kind: data, text: text, pos: l.pos})
	}
}

// tag reads what begins at pos, behind text.
func (l *lexer) tag(text string) {
	from, what := l.pos, l.source[l.pos+1]
	l.data(l.before(text, what == '{'))
	l.t.tags = append(l.t.tags, span{from, len(l.source)})
	l.inside(what)
	l.t.tags[len(l.t.tags)-1].to = l.pos
}

// inside reads a tag of this kind.
func (l *lexer) inside(what byte) {
	from := l.pos
	if end := rawBegin.FindStringSubmatch(l.source[from:]); end != nil {
		l.raw(len(end[0]), end[1])
		return
	}
	l.pos += 2
	if l.sign() != 0 {
		l.pos++
	}
	switch what {
	case '#':
		l.comment()
	case '{':
		l.emit(token{kind: variableBegin, text: "{{", pos: from})
		l.code(variableEnd, "}}")
	case '%':
		l.emit(token{kind: blockBegin, text: "{%", pos: from})
		l.code(blockEnd, "%}")
	}
}

// sign is the - or + at pos, 0 where there is none.
func (l *lexer) sign() byte {
	if l.pos < len(l.source) && (l.source[l.pos] == '-' || l.source[l.pos] == '+') {
		return l.source[l.pos]
	}
	return 0
}

// before returns the text before the tag at pos, without what the tag strips of it.
func (l *lexer) before(text string, variable bool) string {
	sign := byte(0)
	if l.pos+2 < len(l.source) {
		sign = l.source[l.pos+2]
	}
	if sign == '-' {
		return strings.TrimRightFunc(text, isSpace)
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if sign == '+' || variable || line == 0 && !l.fresh {
		return text
	}
	if strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// isSpace is Python's str.isspace for a character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// behind moves to behind a closing bracket that is spelled so, and what it strips.
func (l *lexer) behind(bracket string, to int) {
	l.pos = to
	switch {
	case bracket[0] == '-':
		rest := strings.TrimLeftFunc(l.source[to:], isSpace)
		l.pos = len(l.source) - len(rest)
	case bracket[0] != '+' && bracket != "}}" && strings.HasPrefix(l.source[to:], "\n"):
		l.pos++
	}
	l.fresh = l.source[l.pos-1] == '\n'
}

func (l *lexer) comment() {
	end := strings.Index(l.source[l.pos:], "#}")
	if end < 0 {
		fail("the comment has no end")
	}
	bracket, to := "#}", l.pos+end+2
	if end > 0 && (l.source[l.pos+end-1] == '-' || l.source[l.pos+end-1] == '+') {
		bracket = l.source[l.pos+end-1 : to]
	}
	l.behind(bracket, to)
}

// raw reads up to the end of a raw block that begins at pos with a tag of size bytes.
func (l *lexer) raw(size int, bracket string) {
	if to := l.pos + size; bracket[0] == '-' {
		l.behind(bracket, to)
	} else {
		l.pos, l.fresh = to, false
	}
	end := rawEnd.FindStringSubmatchIndex(l.source[l.pos:])
	if end == nil {
		fail("the raw block has no end")
	}
	text := l.source[l.pos : l.pos+end[0]]
	bracket, to := l.source[l.pos+end[2]:l.pos+end[3]], l.pos+end[1]
	l.pos += end[0]
	l.data(l.before(text, false))
	l.behind(bracket, to)
}

// code reads the tokens of a tag up to its closing bracket.
func (l *lexer) code(end kind, bracket string) {
	var open []byte // brackets that are to be closed
	for l.pos < len(l.source) {
		*l.at = l.pos
		rest := l.source[l.pos:]
		r, size := utf8.DecodeRuneInString(rest)
		if len(open) == 0 {
			if closing := closes(rest, bracket); closing != "" {
				l.emit(token{kind: end, text: bracket, pos: l.pos})
				l.behind(closing, l.pos+len(closing))
				return
			}
		}
		switch {
		case isSpace(r):
			l.pos += size
		case r >= '0' && r <= '9':
			l.number(rest)
		case isWord(r):
			word := rest[:len(rest)-len(strings.TrimLeftFunc(rest, isWord))]
			l.emit(token{kind: name, text: word, pos: l.pos})
			l.pos += len(word)
		case r == '\'' || r == '"':
			l.quoted(rest)
		default:
			open = l.operator(rest, open)
		}
	}
	*l.at = l.tokens[len(l.tokens)-1].pos
	fail("the tag has no closing %s", bracket)
}

// closes returns how a closing bracket is spelled that s begins with, "" where it does not.
func closes(s, bracket string) string {
	signed := strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") && bracket != "}}"
	switch {
	case strings.HasPrefix(s, bracket):
		return bracket
	case signed && strings.HasPrefix(s[1:], bracket):
		return s[:len(bracket)+1]
	}
	return ""
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nl)
}

var operators = strings.Fields("// ** == != >= <= + - / * % ~ [ ] ( ) { } > < = . : | , ;")

func (l *lexer) operator(rest string, open []byte) []byte {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if i := strings.Index("([{", op); i >= 0 {
			open = append(open, ")]}"[i])
		}
		if strings.Contains(")]}", op) {
			if len(open) == 0 || open[len(open)-1] != op[0] {
				fail("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(token{kind: operator, text: op, pos: l.pos})
		l.pos += len(op)
		return open
	}
	r, _ := utf8.DecodeRuneInString(rest)
	fail("unexpected character %q", r)
	return nil
}
