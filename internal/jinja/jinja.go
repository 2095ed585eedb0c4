// Package jinja renders chat templates: the subset of Jinja2 that transformers documents and the templates of model
// hubs use, with Python's values. It behaves as the ImmutableSandboxedEnvironment of transformers does: trim_blocks
// and lstrip_blocks are on, the tags break, continue and generation exist, and so do raise_exception, strftime_now
// and transformers' own tojson.
//
// A template is a stranger's program. It reaches no files (include, import, extends and block are refused), and its
// steps, its output, the memory that it fills and the depth of its calls are bounded.
package jinja

import (
	"fmt"
	"sort"
	"strings"
)

// Bounds of one rendering. They are far beyond what a chat template needs for a conversation of a few messages.
const (
	maxWork   = 2 << 20 // steps, and bytes and elements copied, a step for about eight bytes
	maxOutput = 1 << 20 // bytes
	maxDepth  = 4000    // of evaluations inside each other
	maxNested = 200     // of brackets, tags and operators inside each other in a template's source
	maxSource = 1 << 20 // bytes of a template
)

// Template is a parsed template. It may be rendered by several goroutines at once.
type Template struct {
	source string // with \n for every kind of line end
	tags   []span // in order
	body   []statement
}

// span is the place of a tag in the source: from its opening bracket to behind its closing one.
type span struct{ from, to int }

// Error says where a template cannot be read or rendered, and why.
type Error struct {
	Line      int    // from 1
	Construct string // the tag at fault, shortened; "" where it is in the text between tags
	Reason    string
	Variable  string // whose absence is the reason; "" for any other
	Bound     bool   // it would have gone beyond the bounds of a rendering
}

func (e *Error) Error() string {
	if e.Construct == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, %s: %s", e.Line, e.Construct, e.Reason)
}

// Parse reads a template. The error is an *Error.
func Parse(source string) (_ *Template, err error) {
	t := &Template{}
	at := 0
	defer t.recovered(&at, &err)
	if len(source) > maxSource {
		fail("a template of %d bytes, at most %d are read", len(source), maxSource)
	}
	source = strings.ToValidUTF8(source, "\uFFFD")
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	t.source = strings.TrimSuffix(source, "\n")
	l := &lexer{t: t, source: t.source, at: &at}
	p := &parser{tokens: l.lex(), at: &at, said: map[string]bool{}}
	t.body = p.template()
	return t, nil
}

// Render returns the template's text. Values are nil, bool, int, float64, string, []any, map[string]any (in the
// order of its keys) and Object. The error is an *Error.
func (t *Template) Render(vars Object) (text string, err error) {
	m := newMachine()
	defer t.recovered(&m.at, &err)
	for _, v := range vars {
		m.globals[v.Key] = fromGo(v.Value)
	}
	m.run(t.body, &scope{vars: map[string]any{}})
	return m.out.String(), nil
}

// failure is what ends parsing and rendering; recovered makes an Error of it.
type failure struct {
	reason, variable string
	bound            bool
}

func fail(format string, args ...any) { panic(failure{reason: fmt.Sprintf(format, args...)}) }

// exceed fails at a bound.
func exceed(reason string) { panic(failure{reason: reason, bound: true}) }

// recovered turns a panic into an Error at the place that was last looked at.
func (t *Template) recovered(at *int, err *error) {
	switch p := recover().(type) {
	case nil:
	case failure:
		e := t.fault(*at, p.reason)
		e.Variable, e.Bound = p.variable, p.bound
		*err = e
	default: // a fault of this package: a template must not end the program
		*err = t.fault(*at, fmt.Sprint("cannot be rendered: ", p))
	}
}

// maxConstruct bounds how much of a template an error quotes, in runes.
const maxConstruct = 60

func (t *Template) fault(at int, reason string) *Error {
	at = min(at, len(t.source))
	e := &Error{Line: 1 + strings.Count(t.source[:at], "\n"), Reason: shorten(reason, 4*maxConstruct)}
	i := sort.Search(len(t.tags), func(i int) bool { return t.tags[i].to > at })
	if i < len(t.tags) && t.tags[i].from <= at {
		e.Construct = shorten(strings.Join(strings.Fields(t.source[t.tags[i].from:t.tags[i].to]), " "), maxConstruct)
	}
	return e
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
