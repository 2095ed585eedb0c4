package export

import "sparkd"

// sequences are lines of one sample each.
func sequences(line fields[*sample]) lines {
	return perTree(line, func(e *encoder, t *creditedTree, write func(*sample)) {
		e.sequences(t, e.counting(write))
	})
}

// uniformSequences are lines of one sample each, or of the part of one whose trained pieces have one coefficient.
func uniformSequences(line fields[*sample]) lines {
	return perTree(line, func(e *encoder, t *creditedTree, write func(*sample)) {
		e.sequences(t, func(s *sample) { s.agreed(e.counting(write)) })
	})
}

// wholeGroups are lines of all samples of a group.
func wholeGroups(line fields[[]sample]) lines {
	write := line.writer()
	return lines{
		typ: line.typ,
		tree: func(e *encoder, t *creditedTree) {
			e.sequences(t, e.counting(func(s *sample) { e.gathered = append(e.gathered, s.clone()) }))
		},
		group: func(e *encoder) {
			if len(e.gathered) > 0 {
				write(&e.out, e.gathered)
				e.end()
			}
		},
	}
}

// counting counts the tokens of samples before they are emitted.
func (e *encoder) counting(emit func(*sample)) func(*sample) {
	return func(s *sample) {
		for i := range s.pieces {
			p := &s.pieces[i]
			e.m.Tokens += len(p.tokens)
			if p.trained {
				e.m.TrainedTokens += len(p.tokens)
				e.weight.Add(p.weight * float64(len(p.tokens)))
			}
		}
		emit(s)
	}
}

// sequences calls emit with the samples of a tree, trajectory by trajectory, but for those
// that lack what the format needs.
func (e *encoder) sequences(t *creditedTree, emit func(*sample)) {
	steps := e.o.dedupe(t.Tree, t.copies, false)
	for i, end := range t.Ended() {
		leaf := end.ID
		if !t.keep[leaf] {
			continue
		}
		n := 0
		for n < len(steps) && steps[n].Leaf == leaf {
			n++
		}
		e.m.Idle += e.samples(t, leaf, t.place+i, steps[:n], func(s *sample) {
			if e.complete(s) {
				emit(s)
			}
		})
		steps = steps[n:]
	}
}

// complete reports whether a sample has what the format needs, and counts it as left out where it does not.
func (e *encoder) complete(s *sample) bool {
	if e.format.logprobs && !s.known {
		e.m.omit("sequence", e.format.name+" needs logprobs and the engine gave none",
			"use an engine that reports them, or another format: rows, verl, trl-sft …", s.ID)
		return false
	}
	return !e.format.messages || e.hasMessages("sequence", s.Tree, s.pieces)
}

// samples calls emit with every sequence of the trajectory that ends at leaf in which steps, the leaf's own in the
// order of the path, train a token. It returns how many sequences have none, because other trajectories train all
// of it. The sample and its pieces are only valid until emit returns.
func (e *encoder) samples(t *creditedTree, leaf, place int, steps []step, emit func(*sample)) (idle int) {
	w := &e.walk
	w.s = sample{creditedTree: t, leaf: t.Nodes[leaf], place: place, segment: -1,
		pieces: w.s.pieces[:0], nodes: w.s.nodes[:0]}
	w.segment()
	for _, n := range t.Path(leaf) {
		for i := range n.Spans {
			span := &n.Spans[i]
			switch {
			case span.Source == sparkd.SourcePrompt:
				idle += w.flush(emit, len(steps) == 0)
				w.segment()
				w.add(piece{tokens: span.Tokens, span: span})
			case span.Trained():
				own := steps
				for len(steps) > 0 && steps[0].Node == n.ID {
					steps = steps[1:]
				}
				w.output(n, span, own[:len(own)-len(steps)])
			default:
				w.add(piece{tokens: span.Tokens, span: span})
			}
		}
	}
	return idle + w.flush(emit, true)
}

// walk collects the samples of a trajectory; its slices serve all of them.
type walk struct {
	s       sample
	trained int // pieces up to the last trained one
}

// segment starts a sequence.
func (w *walk) segment() {
	s := &w.s
	s.pieces, s.nodes = s.pieces[:0], s.nodes[:0]
	s.prompt, s.exact, s.known = 0, true, true
	w.trained = 0
}

func (w *walk) add(p piece) { w.s.pieces = append(w.s.pieces, p) }

// output adds a model span: the tokens that steps train, and between them what is context.
func (w *walk) output(n *sparkd.Node, span *sparkd.Span, steps []step) {
	s := &w.s
	s.nodes = append(s.nodes, n)
	s.exact = s.exact && span.TokenExact
	first, at := span, 0
	context := func(to int) {
		if to > at {
			w.add(piece{tokens: span.Tokens[at:to], span: first})
			first, at = nil, to
		}
	}
	for _, step := range steps {
		if step.From == step.To {
			continue
		}
		context(step.From)
		p := piece{tokens: span.Tokens[step.From:step.To], trained: true,
			advantage: step.Advantage, weight: step.Weight, version: n.PolicyVersion, span: first}
		if v := span.KnownLogprobs(); v != nil {
			p.logprobs = v[step.From:step.To]
		} else {
			s.known = false
		}
		if w.trained == 0 {
			s.prompt = len(s.pieces)
		}
		w.add(p)
		w.trained = len(s.pieces)
		first, at = nil, step.To
	}
	context(len(span.Tokens))
}

// flush emits the sequence so far, without what stands behind its last trained token, and
// returns 1 instead where it has outputs but trains none of them.
func (w *walk) flush(emit func(*sample), last bool) int {
	s := &w.s
	if len(s.nodes) == 0 {
		return 0
	}
	s.segment++
	if w.trained == 0 {
		return 1
	}
	s.pieces, s.last = s.pieces[:w.trained], last
	emit(s)
	return 0
}
