package export

import "sparkd"

// turn is one message of a conversation.
type turn struct {
	role, content string
	trained       bool
}

var turnFields = fields[turn]{
	{"role", text(func(t turn) string { return t.role }), `"system", "user", "assistant"`},
	{"content", text(func(t turn) string { return t.content }), "text, without template tokens"},
}

// messages are the turns that pieces say.
func messages[T any](of func(T) []piece) value[T] {
	return list(func(from T) []turn { return turns(of(from)) }, object(turnFields))
}

// turns returns the messages that pieces say.
func turns(pieces []piece) []turn {
	all := make([]turn, 0, len(pieces)+1)
	for i := range pieces {
		span := pieces[i].span
		if span == nil {
			continue
		}
		switch span.Source {
		case sparkd.SourcePrompt:
			for _, t := range span.Turns {
				all = append(all, turn{role: t.Role, content: span.Text[t.From:t.To]})
			}
		case sparkd.SourceModel:
			all = append(all, turn{"assistant", span.Text, trains(pieces[i:])})
		case sparkd.SourceEnv:
			all = append(all, turn{role: "user", content: span.Text})
		}
	}
	return all
}

// trains reports whether a piece of the span that pieces begin with is trained.
func trains(pieces []piece) bool {
	for i := range pieces {
		if i > 0 && pieces[i].span != nil {
			return false
		}
		if pieces[i].trained {
			return true
		}
	}
	return false
}

// hasMessages reports whether prompts say which of their text is whose message, and counts
// what follows them, a sequence, step or pair, as left out where they do not.
func (e *encoder) hasMessages(what string, t *sparkd.Tree, pieces []piece) bool {
	for i := range pieces {
		if s := pieces[i].span; s != nil && s.Source == sparkd.SourcePrompt && len(s.Turns) == 0 {
			e.m.omit(what, "its prompt does not say where its messages stand", noTurns, t.ID)
			return false
		}
	}
	return true
}

const noTurns = "trees of earlier versions of sparkd have no messages; " + "grow new ones, or use a format of token ids"
