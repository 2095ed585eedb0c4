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
			pieces = append(pieces, piece{tokens: n.Spans[i].Tokens, span: &n.Spans[i]})
			if n.Spans[i].Trained() {
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

// perToken is one item a token of pieces: those that trained appends of a trained piece, and other for every other
// token. Items end with a comma.
func perToken[E, T any](of func(T) []piece, other string, trained func(*buffer, *piece)) value[T] {
	return value[T]{typ: reflect.TypeFor[[]E], write: func(out *buffer, from T) {
		out.b = append(out.b, '[')
		pieces := of(from)
		for i := range pieces {
			if p := &pieces[i]; p.trained {
				trained(out, p)
			} else {
				out.b = repeat(out.b, other, len(p.tokens))
			}
		}
		out.endList()
	}}
}

// labels are the ids of trained tokens and -100 for every other, what a loss of PyTorch leaves out.
func labels[T any](of func(T) []piece) value[T] {
	return perToken[int32](of, "-100,", func(out *buffer, p *piece) { out.b = appendTokens(out.b, p.tokens) })
}

// mask is 1 for every trained token of pieces and 0 for every other.
func mask[T any](of func(T) []piece) value[T] {
	return perToken[int](of, "0,", func(out *buffer, p *piece) { out.b = repeat(out.b, "1,", len(p.tokens)) })
}

// logprobs are those of trained tokens and one number for every other.
func logprobs[T any](of func(T) []piece, other string) value[T] {
	return perToken[float32](of, other+",", func(out *buffer, p *piece) { out.b = appendFloats(out.b, p.logprobs) })
}

// pieceNumbers are what number says of a trained piece, once per token, and 0 for every other token.
func pieceNumbers[T any](of func(T) []piece, number func(*piece) float64) value[T] {
	return perToken[float64](of, "0.0,", func(out *buffer, p *piece) {
		begin := len(out.b)
		out.number(number(p))
		out.b = repeat(out.b[:begin], string(out.b[begin:])+",", len(p.tokens))
	})
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
