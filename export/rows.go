package export

import "sparkd"

// rows appends the lines of steps: by trajectory, then along its path, each step after
// the steps that it follows.
func (e *encoder) rows(t *sparkd.Tree, steps []step) {
	e.path.reset()
	for i := range steps {
		s := &steps[i]
		if i == 0 || s.Leaf != steps[i-1].Leaf {
			e.follow(t, s.Leaf)
		}
		e.format.step(e, t, s)
	}
}

// row appends one RowLine; the path of its trajectory is encoded already.
func (e *encoder) row(t *sparkd.Tree, s *step) {
	l, n := &e.line, t.Nodes[s.Node]
	at := &e.path.steps[n.Depth]
	from, to := e.path.response(at, s.From), e.path.response(at, s.To)
	l.b = append(l.b, '{')
	l.b = append(l.b, e.names.b...)
	e.node("traj_uid", t, s.Leaf)
	l.integer("copies", s.Copies)
	l.number("episode_reward", s.Return)
	l.number("episode_length", s.Length)
	l.number("won", s.Won)
	l.number("score", s.Score)
	l.number("advantage", s.Advantage)
	l.number("weight", s.Weight)
	l.encoded("prompt_ids", e.path.ids[at.begin:from])
	e.node("node_uid", t, n.ID)
	l.integer("step", n.Depth)
	l.integer("offset", s.From)
	l.encoded("response_ids", e.path.ids[from:to])
	l.ones("response_mask", s.To-s.From)
	if s.To-s.From == at.sampled {
		l.b = append(l.b, e.path.fields.b[at.fields:at.rest]...)
	} else {
		e.perToken(l, output(n), s.From, s.To)
	}
	l.b = append(l.b, e.path.fields.b[at.rest:at.fieldsEnd]...)
	e.m.Tokens += at.tokens + s.To
	e.trained(s)
	e.end()
}

// path is the encoded form of the trajectory whose rows are being written. Rows of one
// path repeat its tokens as prompts, and trajectories repeat the steps that they
// share; all of that is encoded once here and copied from here.
type path struct {
	steps  []pathStep // by depth
	ids    []byte     // the path's token ids, each followed by a comma
	fields line       // the fields of the steps' nodes
}

type pathStep struct {
	node              int
	begin, prompt     int  // the step's prompt in ids
	response          int  // end of its output in ids
	tokens            int  // of the prompt
	sampled           int  // tokens of the output
	end               int  // end of the step in ids
	next, nextTokens  int  // where in ids the prompt of the step's children begins, and its tokens
	fields, fieldsEnd int  // the step's fields
	rest              int  // those behind the per-token ones
	exact             bool // all ids sampled up to here are the engine's
}

func (p *path) reset() {
	p.steps, p.ids = p.steps[:0], p.ids[:0]
	p.fields.b = append(p.fields.b[:0], '}') // something in front, so that the first field has a comma too
}

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

// follow makes e.path the path to leaf, keeping the part that it shares with the
// path before.
func (e *encoder) follow(t *sparkd.Tree, leaf int) {
	p, nodes := &e.path, t.Path(leaf)
	shared := 0
	for shared < min(len(nodes), len(p.steps)) && p.steps[shared].node == nodes[shared].ID {
		shared++
	}
	p.steps = p.steps[:shared]
	if shared > 0 {
		last := p.steps[shared-1]
		p.ids, p.fields.b = p.ids[:last.end], p.fields.b[:last.fieldsEnd]
	}
	for _, n := range nodes[shared:] {
		e.extend(t, n)
	}
}

// extend appends a node to the path.
func (e *encoder) extend(t *sparkd.Tree, n *sparkd.Node) {
	p := &e.path
	s := pathStep{node: n.ID, prompt: -1, fields: len(p.fields.b), exact: true}
	if len(p.steps) > 0 {
		before := &p.steps[len(p.steps)-1]
		s.exact, s.next, s.nextTokens = before.exact, before.next, before.nextTokens
	}
	var response *sparkd.Span
	for i := range n.Spans {
		span := &n.Spans[i]
		if span.Source == sparkd.SourcePrompt {
			s.next, s.nextTokens = len(p.ids), 0
		}
		if span.Trained() && response == nil {
			s.begin, s.prompt, s.tokens, s.sampled = s.next, len(p.ids), s.nextTokens, len(span.Tokens)
			s.exact = s.exact && span.TokenExact
			response = span
		}
		p.ids = appendTokens(p.ids, span.Tokens)
		if response == span {
			s.response = len(p.ids)
		}
		s.nextTokens += len(span.Tokens)
	}
	s.end = len(p.ids)
	if n.ID > 0 {
		if response == nil {
			p.fields.fail("node %d has no output", n.ID)
			response, s.begin, s.prompt, s.response = &noOutput, s.end, s.end, s.end
		}
		s.rest = e.fields(t, n, response, s.exact)
	}
	s.fieldsEnd = len(p.fields.b)
	p.steps = append(p.steps, s)
}

// fields appends the part of a RowLine that depends on the node alone and returns where
// the part begins that is not per token.
func (e *encoder) fields(t *sparkd.Tree, n *sparkd.Node, response *sparkd.Span, exact bool) (rest int) {
	l := &e.path.fields
	e.perToken(l, response, 0, len(response.Tokens))
	rest = len(l.b)
	l.boolean("token_exact", exact)
	l.number("reward", n.Reward)
	l.step(n)
	l.str("anchor_obs", t.Nodes[n.Parent].ObsHash)
	l.str("finish", string(n.Finish))
	l.str("policy_version", n.PolicyVersion)
	if e.o.Text {
		l.texts(n)
	}
	return rest
}

// perToken appends the numbers of some of a step's tokens.
func (e *encoder) perToken(l *line, response *sparkd.Span, from, to int) {
	part := *response
	part.Tokens = part.Tokens[from:to]
	for _, v := range []*[]float32{&part.Logprobs, &part.SampledLogprobs, &part.Entropies} {
		if *v != nil {
			*v = (*v)[from:to]
		}
	}
	l.values(logprobs, part)
	l.values(sampledLogprobs, part)
	if e.o.Entropies {
		l.values(entropies, part)
	}
}
