package embedded

import "slices"

// portion is how many prompt tokens a tree gets in its turn, before the next tree does.
const portion = 32

// chunkTokens is how many prompt tokens a forward takes at most in which continuations
// decode: half of the default batch, so that prompts advance and no token waits long.
const chunkTokens = 256

// batch is what goes into one forward: a token of each of decode, then the chunks of prompts.
type batch struct {
	segs   []segment
	decode []*sequence
	chunks []chunk
}

// chunk is the next n tokens of a prefill.
type chunk struct {
	prefill *prefill
	n       int
}

// compose fills the next forward. Live continuations come first, each with one token, so they advance in every
// forward; prompts get what remains, but beside live continuations no more than chunkTokens, so that these do not
// wait for long. Where there are more live continuations than a forward takes they take turns, and leave a quarter
// of it to the prompts.
func (l *loop) compose() batch {
	l.turn++
	var b batch
	tokens, segs := l.backend.maxBatch(), l.backend.maxSegments()
	most := min(tokens, segs)
	if len(l.prefills) > 0 {
		most -= max(1, most/4)
	}
	n := min(len(l.live), most)
	for _, s := range l.live[:n] {
		l.grow(s)
		b.segs = append(b.segs, segment{path: s.path, tokens: s.next[:], output: true})
		b.decode = append(b.decode, s)
	}
	if n < len(l.live) {
		l.live = slices.Concat(l.live[n:], l.live[:n])
	}
	tokens, segs = tokens-n, segs-n
	if n > 0 {
		tokens = min(tokens, l.chunk)
	}
	for i, n := range deal(l.prefills, l.turn, tokens, segs) {
		if n > 0 {
			p := l.prefills[i]
			end := p.pos + n
			last := end == len(p.req.Prefix)
			b.segs = append(b.segs, segment{path: cut(p.path, end), tokens: p.req.Prefix[p.pos:end], output: last})
			b.chunks = append(b.chunks, chunk{p, n})
		}
	}
	return b
}

// grow adds the cell of the next token to the path of s.
func (l *loop) grow(s *sequence) {
	before := len(s.taken)
	s.path, s.taken = l.cells.extend(s.path, s.taken, 1)
	n := len(s.taken) - before
	s.pledged -= n
	l.pledge(s.req, -n)
}

// deal shares tokens among prefills: trees in turn get a portion, and within a tree the prefill that came first,
// until all tokens are dealt or no prefill needs more. At most segs prefills get any.
func deal(prefills []*prefill, turn, tokens, segs int) []int {
	var trees [][]int // of indices of prefills
	number := map[string]int{}
	for i, p := range prefills {
		t, ok := number[p.req.Tree]
		if !ok {
			t = len(trees)
			number[p.req.Tree], trees = t, append(trees, nil)
		}
		trees[t] = append(trees[t], i)
	}
	share := make([]int, len(prefills))
	for given := true; given && tokens > 0; {
		given = false
		for t := range trees {
			mine := &trees[(t+turn)%len(trees)]
			if len(*mine) == 0 || tokens == 0 {
				continue
			}
			i := (*mine)[0]
			if share[i] == 0 {
				if segs == 0 {
					continue
				}
				segs--
			}
			left := len(prefills[i].req.Prefix) - prefills[i].pos - share[i]
			n := min(portion, left, tokens)
			share[i], tokens, given = share[i]+n, tokens-n, true
			if n == left {
				*mine = (*mine)[1:]
			}
		}
	}
	return share
}
