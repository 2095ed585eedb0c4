package export

import "sparkd"

// path is the encoded form of the trajectory whose steps are being written. The lines of
// one path repeat its tokens as prompts, so these are encoded once here and copied.
type path struct {
	steps []pathStep // by depth
	ids   []byte     // the path's token ids, each followed by a comma
}

// pathStep is a node on the path; begin, prompt, response, end and next are places in ids.
type pathStep struct {
	node             int
	begin, prompt    int  // the step's prompt, from begin to prompt
	response         int  // end of its output
	tokens           int  // of the prompt
	sampled          int  // tokens of the output
	end              int  // end of the step
	next, nextTokens int  // where the prompt of the step's children begins, and its tokens
	exact            bool // all ids sampled up to here are the engine's
}

func (p *path) reset() { p.steps, p.ids = p.steps[:0], p.ids[:0] }

// response returns where in ids the n-th token of a step's output is.
func (p *path) response(at *pathStep, n int) int {
	if n == at.sampled {
		return at.response
	}
	i := at.prompt
	for ; n > 0; i++ {
		if p.ids[i] == ',' {
			n--
		}
	}
	return i
}

// follow makes p the path to leaf, keeping the part that it shares with the path before.
func (p *path) follow(t *sparkd.Tree, leaf int) error {
	nodes := t.Path(leaf)
	shared := 0
	for shared < min(len(nodes), len(p.steps)) && p.steps[shared].node == nodes[shared].ID {
		shared++
	}
	p.steps = p.steps[:shared]
	if shared > 0 {
		p.ids = p.ids[:p.steps[shared-1].end]
	}
	for _, n := range nodes[shared:] {
		if n.ID > 0 && n.Model() == nil {
			return sparkd.Errorf(sparkd.CodeDamaged, "node %d has no output", n.ID)
		}
		p.extend(n)
	}
	return nil
}

// extend appends a node to the path.
func (p *path) extend(n *sparkd.Node) {
	s := pathStep{node: n.ID, exact: true}
	if len(p.steps) > 0 {
		before := &p.steps[len(p.steps)-1]
		s.exact, s.next, s.nextTokens = before.exact, before.next, before.nextTokens
	}
	output := n.Model()
	for i := range n.Spans {
		span := &n.Spans[i]
		if span.Source == sparkd.SourcePrompt {
			s.next, s.nextTokens = len(p.ids), 0
		}
		if span == output {
			s.begin, s.prompt, s.tokens, s.sampled = s.next, len(p.ids), s.nextTokens, len(span.Tokens)
			s.exact = s.exact && span.TokenExact
		}
		p.ids = appendTokens(p.ids, span.Tokens)
		if span == output {
			s.response = len(p.ids)
		}
		s.nextTokens += len(span.Tokens)
	}
	s.end = len(p.ids)
	p.steps = append(p.steps, s)
}
