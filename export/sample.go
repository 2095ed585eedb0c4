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
	*creditedTree
	leaf    *sparkd.Node // of the trajectory
	place   int          // of the trajectory in its group
	segment int          // place among the trajectory's sequences
	last    bool         // no later step of the trajectory has a sequence
	pieces  []piece
	prompt  int            // pieces before the first trained one
	nodes   []*sparkd.Node // whose outputs are in the sequence
	exact   bool           // all ids that were sampled are the engine's
	known   bool           // all trained tokens have a logprob
}

// ret is the trajectory's return, in the environment's unit.
func (s *sample) ret() float64 { return s.Return(s.leaf.ID) }

// trajectory names the trajectory, "tree:leaf".
func (s *sample) trajectory() string { return s.ID + ":" + strconv.Itoa(s.leaf.ID) }

// name names the sequence, "tree:leaf:segment".
func (s *sample) name() string { return s.trajectory() + ":" + strconv.Itoa(s.segment) }

// coefficient is that of all trained pieces, where they agree.
func (s *sample) coefficient() float64 { return s.pieces[s.prompt].coefficient() }

// agreed calls emit with s once for each coefficient of its trained pieces, with the pieces of others as context.
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

// The pieces of a sequence: all of them, and those before and from the first trained one.
func (s *sample) all() []piece      { return s.pieces }
func (s *sample) before() []piece   { return s.pieces[:s.prompt] }
func (s *sample) response() []piece { return s.pieces[s.prompt:] }

// ifText returns no pieces without the option Text.
func ifText(pieces func(*sample) []piece) func(*sample) []piece {
	return func(s *sample) []piece {
		if s.o.Text {
			return pieces(s)
		}
		return nil
	}
}

// ends returns the tree and the leaf of the trajectory.
func (s *sample) ends() (*sparkd.Tree, int) { return s.Tree, s.leaf.ID }

// clone returns a copy that outlives the walk.
func (s *sample) clone() sample {
	c := *s
	c.pieces, c.nodes = slices.Clone(s.pieces), slices.Clone(s.nodes)
	return c
}

func (s *sample) outcome() string     { return string(s.leaf.Outcome) }
func (s *sample) lastVersion() string { return s.nodes[len(s.nodes)-1].PolicyVersion }
func (s *sample) length() float64     { return float64(s.leaf.Depth) }
func (s *sample) groupNumber() int    { return nameNumber(s.uid) }

// knownLogprobs are the logprobs of pieces with 0.0 for tokens that are not trained, or null
// where some trained token of the sequence has none.
func knownLogprobs(of func(*sample) []piece) value[*sample] {
	v := logprobs(of, "0.0")
	return value[*sample]{typ: v.typ, write: func(out *buffer, s *sample) {
		if s.known {
			v.write(out, s)
		} else {
			out.null()
		}
	}}
}

// won reports whether the trajectory reached its goal.
func (s *sample) won() bool { return s.leaf.Outcome == sparkd.OutcomeSuccess }

// truncated reports whether the trajectory was cut short, by a limit and not by the environment.
func (s *sample) truncated() bool {
	return s.leaf.Outcome != sparkd.OutcomeSuccess && s.leaf.Outcome != sparkd.OutcomeFailure
}

// oldestVersion is the oldest of the policy versions that sampled, as a number; see versionNumber.
func (s *sample) oldestVersion() int {
	oldest := versionNumber(s.nodes[0].PolicyVersion)
	for _, n := range s.nodes[1:] {
		oldest = min(oldest, versionNumber(n.PolicyVersion))
	}
	return oldest
}

// versionNumber reads a policy version for trainers that count their updates: 0 where it is no decimal number.
func versionNumber(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// nameNumber is a name as a number, for trainers that want one: 53 bits of its FNV-1a hash,
// which every JSON reader takes exactly. It is the same in every export.
func nameNumber(name string) int {
	h := fnv.New64a()
	h.Write([]byte(name))
	return int(h.Sum64() >> 11)
}

// What the formats of sequences say alike.
const (
	aboutBefore   = "all tokens before the first trained one"
	aboutResponse = "the tokens behind them: outputs and observations"
)
