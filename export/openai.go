package export

// openAIFormat has conversations as the fine-tuning of OpenAI takes them. Template tokens are in none of their texts.
var openAIFormat = format{
	name: "openai-messages", about: "conversations for OpenAI's fine-tuning", messages: true, unestimated: true,
	lines: sequences(fields[*sample]{
		{"messages", list(func(s *sample) []turn { return turns(s.pieces) }, object(fields[turn]{
			turnFields[0],
			{"content", turnFields[1].value, "text; of an answer as sampled, reasoning included"},
			{"weight", only(answers, integer(turn.weight)),
				"of an assistant's message: 1 where it is trained, 0 for examples and for what other lines train"},
		})), "system, user and assistant turns, the last one trained"},
	}),
}

func answers(_ *Options, t turn) bool { return t.role == "assistant" }

func (t turn) weight() int {
	if t.trained {
		return 1
	}
	return 0
}
