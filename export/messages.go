package export

import (
	"strings"

	"sparkd"
)

// MessagesLine is one line of format "openai-messages": a conversation as the fine-tuning
// of OpenAI takes it. Template tokens are in none of its texts.
type MessagesLine struct {
	Messages []WeightedMessage `json:"messages"` // system, user and assistant turns, the last one trained
}

// WeightedMessage is a message whose answers say whether they are trained.
type WeightedMessage struct {
	Role    string `json:"role"`             // "system", "user", "assistant"
	Content string `json:"content"`          // text; of an answer as sampled, reasoning included
	Weight  *int   `json:"weight,omitempty"` // of an assistant's message: 1 where it is trained, 0 for examples and for what other lines train
}

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"`    // "system", "user", "assistant"
	Content string `json:"content"` // text, without template tokens
}

func (e *encoder) openAI(s *sample) {
	l := &e.line
	l.open("")
	l.key("messages")
	l.b = append(l.b, '[')
	turns(s.pieces, func(role, content string, trained bool) {
		l.message(role, content)
		if role == "assistant" {
			l.integer("weight", int(indicator(trained)))
		}
		l.b = append(l.b, '}', ',')
	})
	l.close()
	e.end()
}

// messages appends the Messages of pieces.
func (l *line) messages(name string, pieces []piece) {
	l.key(name)
	l.b = append(l.b, '[')
	turns(pieces, func(role, content string, _ bool) {
		l.message(role, content)
		l.b = append(l.b, '}', ',')
	})
	l.close()
}

// textual returns pieces with the option Text and none without.
func (e *encoder) textual(pieces []piece) []piece {
	if e.o.Text {
		return pieces
	}
	return nil
}

// message begins an item of a list of messages.
func (l *line) message(role, content string) {
	l.b = append(l.b, '{')
	l.str("role", role)
	l.str("content", content)
}

// turns calls f with the messages that pieces say.
func turns(pieces []piece, f func(role, content string, trained bool)) {
	for i := range pieces {
		p := &pieces[i]
		if p.span == nil {
			continue
		}
		switch p.span.Source {
		case sparkd.SourcePrompt:
			for _, t := range p.span.Turns {
				f(t.Role, p.span.Text[t.From:t.To], false)
			}
		case sparkd.SourceModel:
			f("assistant", p.span.Text, trains(pieces[i:]))
		case sparkd.SourceEnv:
			f("user", p.span.Text, false)
		}
	}
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

// told reports whether the prompt says which of its text is whose message.
func (s *sample) told() bool {
	for i := range s.pieces {
		if p := s.pieces[i].span; p != nil && p.Source == sparkd.SourcePrompt && len(p.Turns) == 0 {
			return false
		}
	}
	return true
}

// rendered returns the text of pieces as far as it is stored, that of the observations
// without the template's tokens.
func rendered(pieces []piece) string {
	var b strings.Builder
	for i := range pieces {
		if s := pieces[i].span; s != nil {
			b.WriteString(s.Text)
		}
	}
	return b.String()
}
