package export

import (
	"math"
	"strconv"
	"strings"

	"sparkd"
)

// line is a JSON object under construction. Its methods append one field each; the
// first problem with a value is kept in err.
type line struct {
	b   []byte
	err error
}

// key appends a name, which needs no escaping, and the comma before it; "" is an item of
// a list.
func (l *line) key(name string) {
	if n := len(l.b); n > 0 && l.b[n-1] != '{' {
		l.b = append(l.b, ',')
	}
	if name == "" {
		return
	}
	l.b = append(l.b, '"')
	l.b = append(l.b, name...)
	l.b = append(l.b, '"', ':')
}

func (l *line) str(name, v string) {
	l.key(name)
	l.b = appendString(l.b, v)
}

func (l *line) integer(name string, v int) {
	l.key(name)
	l.b = strconv.AppendInt(l.b, int64(v), 10)
}

func (l *line) boolean(name string, v bool) {
	l.key(name)
	l.b = strconv.AppendBool(l.b, v)
}

func (l *line) number(name string, v float64) {
	l.key(name)
	l.b = l.float(l.b, name, v)
}

func (l *line) float(b []byte, name string, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		l.fail("%s is %v", name, v)
	}
	return appendFloat(b, v)
}

// appendFloat appends a JSON number that has a fraction or an exponent, so that readers
// which guess a column's type from its first values take it for a float.
func appendFloat(b []byte, v float64) []byte {
	n := len(b)
	b = strconv.AppendFloat(b, v, 'g', -1, 64)
	for _, c := range b[n:] {
		if c == '.' || c == 'e' {
			return b
		}
	}
	return append(b, ".0"...)
}

func (l *line) null(name string) {
	l.key(name)
	l.b = append(l.b, "null"...)
}

func (l *line) list(name string, v []string) {
	l.key(name)
	l.b = append(l.b, '[')
	for _, s := range v {
		l.b = append(appendString(l.b, s), ',')
	}
	l.close()
}

// encoded appends items that are encoded already, each followed by a comma.
func (l *line) encoded(name string, items []byte) {
	l.key(name)
	l.b = append(append(l.b, '['), items...)
	l.close()
}

// close ends an array whose items are each followed by a comma.
func (l *line) close() {
	if n := len(l.b); l.b[n-1] == ',' {
		l.b[n-1] = ']'
		return
	}
	l.b = append(l.b, ']')
}

// fail keeps the first error; the line will not be written.
func (l *line) fail(format string, args ...any) {
	if l.err == nil {
		l.err = sparkd.Errorf(sparkd.CodeDamaged, format, args...)
	}
}

// repeated appends n times the digit 0 or 1, each followed by a comma.
func repeated(b []byte, digit byte, n int) []byte {
	run := zeros
	if digit == '1' {
		run = ones
	}
	for ; n > len(run)/2; n -= len(run) / 2 {
		b = append(b, run...)
	}
	return append(b, run[:2*n]...)
}

var (
	zeros = strings.Repeat("0,", 256)
	ones  = strings.Repeat("1,", 256)
)

// perToken names one of the per-token slices of a span.
type perToken struct {
	name string
	of   func(*sparkd.Span) []float32
}

var (
	logprobs        = perToken{"logprobs", func(s *sparkd.Span) []float32 { return s.Logprobs }}
	sampledLogprobs = perToken{"sampled_logprobs", func(s *sparkd.Span) []float32 { return s.SampledLogprobs }}
	entropies       = perToken{"entropies", func(s *sparkd.Span) []float32 { return s.Entropies }}
)

// values appends one number per token of the spans, 0 for tokens that were not
// sampled, or null where no sampled token has one.
func (l *line) values(p perToken, spans ...sparkd.Span) {
	known := false
	for i := range spans {
		v := p.of(&spans[i])
		known = known || v != nil
	}
	if !known {
		l.null(p.name)
		return
	}
	l.key(p.name)
	l.b = append(l.b, '[')
	for i := range spans {
		v := p.of(&spans[i])
		if v == nil {
			l.b = repeated(l.b, '0', len(spans[i].Tokens))
		}
		for _, x := range v {
			l.b = append(appendFloat32(l.b, x), ',')
		}
	}
	l.close()
}

// ones appends n times 1.
func (l *line) ones(name string, n int) {
	l.key(name)
	l.b = append(l.b, '[')
	l.b = repeated(l.b, '1', n)
	l.close()
}

// stepLogprobs appends those of a step's tokens, null where none are known.
func (l *line) stepLogprobs(name string, values []float32, s *step) {
	if values == nil {
		l.null(name)
		return
	}
	l.key(name)
	l.b = append(l.b, '[')
	for _, x := range values[s.From:s.To] {
		l.b = append(appendFloat32(l.b, x), ',')
	}
	l.close()
}

// indicator is 1 for true and 0 for false.
func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// step appends what both formats say of a node beyond its tokens.
func (l *line) step(n *sparkd.Node) {
	l.str("action", n.Action)
	l.boolean("valid", n.Valid)
	l.boolean("admissible", n.Admissible)
	l.boolean("done", n.Done)
	l.str("outcome", string(n.Outcome))
	l.str("tag", mode(n.Signals.Tags))
	l.list("tags", n.Signals.Tags)
}

// texts appends the option Text: the model's output and what the environment said.
func (l *line) texts(n *sparkd.Node) {
	var output, observation string
	for i := range n.Spans {
		if n.Spans[i].Trained() {
			output += n.Spans[i].Text
		} else {
			observation += n.Spans[i].Text
		}
	}
	l.str("text", output)
	l.str("observation", observation)
}

// mode is SPARK's reasoning mode of a step: planning before explore before think,
// and where a request uses another tag, the first.
func mode(tags []string) string {
	s := sparkd.Signals{Tags: tags}
	for _, m := range []string{"planning", "explore", "think"} {
		if s.Has(m, true) {
			return m
		}
	}
	if len(tags) > 0 {
		return tags[0]
	}
	return ""
}
