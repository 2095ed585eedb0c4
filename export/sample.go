package export

import (
	"hash/fnv"
	"slices"
	"strconv"

	"sparkd"
)

// sample is one token sequence of a trajectory, as the formats for trainers write it. In
// the append context a trajectory is one sequence; a prompt span begins another one, so
// that with the window context every step is a sequence of its own.
//
// The sequence is a list of pieces, in order; the first prompt pieces are what stands
// before the first trained token, and the last piece is trained.
type sample struct {
	tree    *sparkd.Tree
	leaf    *sparkd.Node // of the trajectory
	segment int          // place among the trajectory's sequences
	last    bool         // no later step of the trajectory has a sequence
	pieces  []piece
	prompt  int            // pieces before the first trained one
	nodes   []*sparkd.Node // whose outputs are in the sequence
	exact   bool           // all ids that were sampled are the engine's
	known   bool           // all trained tokens have a logprob
}

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

// tokens returns how many tokens pieces have.
func tokens(pieces []piece) int {
	n := 0
	for i := range pieces {
		n += len(pieces[i].tokens)
	}
	return n
}

// ret is the trajectory's return, in the environment's unit.
func (s *sample) ret() float64 { return s.tree.Return(s.leaf.ID) }

// trajectory names the trajectory, "tree:leaf".
func (s *sample) trajectory() string { return s.tree.ID + ":" + strconv.Itoa(s.leaf.ID) }

// name names the sequence, "tree:leaf:segment".
func (s *sample) name() string { return s.trajectory() + ":" + strconv.Itoa(s.segment) }

// coefficient is that of all trained pieces, where they agree.
func (s *sample) coefficient() float64 { return s.pieces[s.prompt].coefficient() }

// agreed calls emit with s once for each coefficient of its trained pieces, with the
// pieces of others as context.
func (s *sample) agreed(emit func(*sample)) {
	left := 0
	for i := range s.pieces {
		if s.pieces[i].trained {
			left++
		}
	}
	for begin := s.prompt; left > 0; begin++ {
		if !s.pieces[begin].trained {
			continue
		}
		one, last := *s, begin
		c := s.pieces[begin].coefficient()
		one.pieces = slices.Clone(s.pieces)
		for i := range one.pieces {
			p := &one.pieces[i]
			switch {
			case !p.trained:
			case i >= begin && p.coefficient() == c:
				s.pieces[i].trained = false // done with
				left--
				last = i
			default:
				p.trained = false
			}
		}
		one.pieces, one.prompt = one.pieces[:last+1], begin
		emit(&one)
	}
}

// won reports whether the trajectory reached its goal.
func (s *sample) won() bool { return s.leaf.Outcome == sparkd.OutcomeSuccess }

// truncated reports whether the trajectory was cut short, by a limit and not by the
// environment.
func (s *sample) truncated() bool {
	return s.leaf.Outcome != sparkd.OutcomeSuccess && s.leaf.Outcome != sparkd.OutcomeFailure
}

// version is the oldest of the policy versions that sampled, as a number; see versionNumber.
func (s *sample) version() int {
	oldest := versionNumber(s.nodes[0].PolicyVersion)
	for _, n := range s.nodes[1:] {
		oldest = min(oldest, versionNumber(n.PolicyVersion))
	}
	return oldest
}

// versionNumber reads a policy version for trainers that count their updates: 0 where it
// is no decimal number.
func versionNumber(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// number is a name as a number, for trainers that want one: 53 bits of its FNV-1a hash,
// which every JSON reader takes exactly. It is the same in every export.
func number(name string) int {
	h := fnv.New64a()
	h.Write([]byte(name))
	return int(h.Sum64() >> 11)
}

// samples calls emit with every sequence of the trajectory that ends at leaf in which
// steps, the leaf's own in the order of the path, train a token. It returns how many
// sequences have none, because other trajectories train all of it. The sample and its
// pieces are only valid until emit returns.
func (e *encoder) samples(t *sparkd.Tree, leaf int, steps []step, emit func(*sample)) (idle int) {
	w := &e.walk
	w.begin(t, leaf)
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

func (w *walk) begin(t *sparkd.Tree, leaf int) {
	w.s = sample{tree: t, leaf: t.Nodes[leaf], segment: -1, pieces: w.s.pieces[:0], nodes: w.s.nodes[:0]}
	w.segment()
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
		p := piece{tokens: span.Tokens[step.From:step.To], trained: true, advantage: step.Advantage, weight: step.Weight,
			version: n.PolicyVersion, span: first}
		if v := known(span); v != nil {
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

// known returns the logprobs of a span that trainers get: raw, or, from an engine that
// reports no others, those of the distribution sampled from. nil: none.
func known(s *sparkd.Span) []float32 {
	if s.Logprobs != nil {
		return s.Logprobs
	}
	return s.SampledLogprobs
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
