package export

import "slices"

// ids appends the token ids of pieces.
func (l *line) ids(name string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	for i := range pieces {
		l.b = appendTokens(l.b, pieces[i].tokens)
	}
	l.close()
}

// mask appends 1 for every trained token of pieces and 0 for every other.
func (l *line) mask(name string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	for i := range pieces {
		digit := byte('0')
		if pieces[i].trained {
			digit = '1'
		}
		l.b = repeated(l.b, digit, len(pieces[i].tokens))
	}
	l.close()
}

// labels appends the ids of trained tokens and -100 for every other, what a loss of
// PyTorch leaves out.
func (l *line) labels(name string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	for i := range pieces {
		if p := &pieces[i]; p.trained {
			l.b = appendTokens(l.b, p.tokens)
		} else {
			l.b = filled(l.b, "-100,", len(p.tokens))
		}
	}
	l.close()
}

// pieceLogprobs appends the logprobs of trained tokens and filler, which ends with a
// comma, for every other.
func (l *line) pieceLogprobs(name, filler string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	for i := range pieces {
		p := &pieces[i]
		if !p.trained {
			l.b = filled(l.b, filler, len(p.tokens))
			continue
		}
		for _, x := range p.logprobs {
			l.b = append(appendFloat32(l.b, x), ',')
		}
	}
	l.close()
}

// perToken appends the number that of gives a trained piece, once per token, and 0 for
// every other token.
func (l *line) perToken(name string, pieces []piece, of func(*piece) float64) {
	l.key(name)
	l.b = append(l.b, '[')
	for i := range pieces {
		p := &pieces[i]
		x := 0.0
		if p.trained {
			x = of(p)
		}
		n := len(p.tokens)
		if n == 0 {
			continue
		}
		from := len(l.b)
		l.b = append(l.float(l.b, name, x), ',')
		l.b = again(l.b, from, n-1)
	}
	l.close()
}

// coefficient is what multiplies the loss of a token: a positive weight can be drawn into
// the advantage of a policy gradient, clipped or not.
func (p *piece) coefficient() float64 { return p.weight * p.advantage }

func (p *piece) advantageOf() float64 { return p.advantage }
func (p *piece) weightOf() float64    { return p.weight }

// filled appends text n times.
func filled(b []byte, text string, n int) []byte {
	if n == 0 {
		return b
	}
	from := len(b)
	return again(append(b, text...), from, n-1)
}

// again appends n more times what b holds from from on.
func again(b []byte, from, n int) []byte {
	size := len(b) - from
	end := len(b) + n*size
	b = slices.Grow(b, n*size)[:end]
	for done := from + size; done < end; {
		done += copy(b[done:end], b[from:done])
	}
	return b
}
