package export

import (
	"reflect"
	"strings"

	"sparkd"
)

// piece is a run of tokens of one span that are treated alike.
type piece struct {
	tokens    []sparkd.Token
	trained   bool
	logprobs  []float32 // of trained tokens; nil: not known
	advantage float64
	weight    float64
	version   string       // that sampled a trained piece
	span      *sparkd.Span // that the piece begins; nil behind its first
}

// coefficient is what multiplies the loss of a token: a positive weight can be drawn into
// the advantage of a policy gradient, clipped or not.
func (p *piece) coefficient() float64 { return p.weight * p.advantage }

func (p *piece) advantageOf() float64 { return p.advantage }
func (p *piece) weightOf() float64    { return p.weight }

// tokens returns how many tokens pieces have.
func tokens(pieces []piece) int {
	n := 0
	for i := range pieces {
		n += len(pieces[i].tokens)
	}
	return n
}

// preceding returns the sequence that stands before the children of a node.
func preceding(t *sparkd.Tree, node int) []piece {
	var pieces []piece
	for _, s := range t.Context(node) {
		pieces = append(pieces, piece{tokens: s.Tokens, span: s})
	}
	return pieces
}

// continuation returns the outputs of nodes that follow each other and what stands between them.
func continuation(nodes ...*sparkd.Node) []piece {
	var pieces []piece
	end := 0
	for _, n := range nodes {
		for i := range n.Spans {
			s := &n.Spans[i]
			pieces = append(pieces, piece{tokens: s.Tokens, span: s})
			if s.Trained() {
				end = len(pieces)
			}
		}
	}
	return pieces[:end]
}

// ids are the token ids of pieces.
func ids[T any](of func(T) []piece) value[T] {
	return items[int32](func(from T, b []byte) []byte {
		for _, p := range of(from) {
			b = appendTokens(b, p.tokens)
		}
		return b
	})
}

var unlabelled = newFiller("-100")

// labels are the ids of trained tokens and -100 for every other, what a loss of PyTorch leaves out.
func labels[T any](of func(T) []piece) value[T] {
	return items[int32](func(from T, b []byte) []byte {
		for _, p := range of(from) {
			if p.trained {
				b = appendTokens(b, p.tokens)
			} else {
				b = unlabelled.append(b, len(p.tokens))
			}
		}
		return b
	})
}

// mask is 1 for every trained token of pieces and 0 for every other.
func mask[T any](of func(T) []piece) value[T] {
	return items[int](func(from T, b []byte) []byte {
		for _, p := range of(from) {
			b = digits(p.trained).append(b, len(p.tokens))
		}
		return b
	})
}

// digits are items of a mask.
func digits(trained bool) filler {
	if trained {
		return allOnes
	}
	return zeros
}

// logprobs are those of trained tokens and one number for every other.
func logprobs[T any](of func(T) []piece, other string) value[T] {
	filler := newFiller(other)
	return items[float32](func(from T, b []byte) []byte {
		for _, p := range of(from) {
			if p.trained {
				b = appendFloats(b, p.logprobs)
			} else {
				b = filler.append(b, len(p.tokens))
			}
		}
		return b
	})
}

// perToken is what number says of a trained piece, once per token, and 0 for every other token.
func perToken[T any](of func(T) []piece, number func(*piece) float64) value[T] {
	return value[T]{typ: reflect.TypeFor[[]float64], write: func(out *buffer, from T) {
		out.b = append(out.b, '[')
		pieces := of(from)
		for i := range pieces {
			p, x := &pieces[i], 0.0
			if p.trained {
				x = number(p)
			}
			if n := len(p.tokens); n > 0 {
				begin := len(out.b)
				out.number(x)
				out.b = repeatTail(append(out.b, ','), begin, n-1)
			}
		}
		out.endList()
	}}
}

// rendered is the text of pieces as far as it is stored, that of the observations without the template's tokens.
func rendered[T any](of func(T) []piece) value[T] {
	return text(func(from T) string {
		var b strings.Builder
		for _, p := range of(from) {
			if p.span != nil {
				b.WriteString(p.span.Text)
			}
		}
		return b.String()
	})
}
