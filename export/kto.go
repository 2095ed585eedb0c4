package export

import "sparkd"

// TRLKTOLine is one line of format "trl-kto": a step as unpaired preference data of TRL's
// KTOTrainer, which tokenizes the messages; the ids are what the model saw and sampled.
type TRLKTOLine struct {
	Prompt        []Message `json:"prompt"`         // system, user and assistant turns before the step
	Completion    []Message `json:"completion"`     // the step's output
	Label         bool      `json:"label"`          // the trajectory reached the goal; merged: more than half of them did
	PromptIDs     []int32   `json:"prompt_ids"`     // all tokens before the output
	CompletionIDs []int32   `json:"completion_ids"` // of the output
	Weight        float64   `json:"weight"`         // of the step's loss; see dedupe
	UID           string    `json:"uid"`            // the group: "rollout/env/split/index"
	NodeUID       string    `json:"node_uid"`       // the step, "tree:node"
}

func (e *encoder) kto(t *sparkd.Tree, s *step) {
	n := t.Nodes[s.Node]
	if s.Won == .5 {
		e.m.leave("step", "as many of its trajectories reached the goal as did not", "dedupe=copies labels it once per trajectory", t.ID)
		return
	}
	prompt, answer := e.context(t, n.Parent), continuation(n)
	if !e.told("step", t, prompt) {
		return
	}
	l := &e.line
	l.open("")
	l.messages("prompt", prompt)
	l.messages("completion", answer)
	l.boolean("label", s.Won > .5)
	l.ids("prompt_ids", prompt)
	l.ids("completion_ids", answer)
	l.number("weight", s.Weight)
	l.str("uid", e.uid)
	e.node("node_uid", t, n.ID)
	e.m.Tokens += tokens(prompt) + tokens(answer)
	e.trained(s)
	e.end()
}

// trained counts the tokens of a step.
func (e *encoder) trained(s *step) {
	e.m.TrainedTokens += s.To - s.From
	e.m.Weight += s.Weight * float64(s.To-s.From)
}

// context returns the sequence that stands before the children of a node.
func (e *encoder) context(t *sparkd.Tree, node int) []piece {
	e.before = e.before[:0]
	for _, s := range t.Context(node) {
		e.before = append(e.before, piece{tokens: s.Tokens, span: s})
	}
	return e.before
}

// continuation returns the outputs of nodes that follow each other and what stands
// between them.
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

// told reports whether a prompt says which of its text is whose message, and counts what
// follows it, a step or a pair, as left out where it does not.
func (e *encoder) told(what string, t *sparkd.Tree, prompt []piece) bool {
	for i := range prompt {
		if s := prompt[i].span; s.Source == sparkd.SourcePrompt && len(s.Turns) == 0 {
			e.m.leave(what, "its prompt does not say where its messages stand", noTurns, t.ID)
			return false
		}
	}
	return true
}

const noTurns = "trees of earlier versions of sparkd have no messages; grow new ones, or use a format of token ids"
