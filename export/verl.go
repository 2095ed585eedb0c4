package export

import (
	"time"

	"sparkd"
)

// verlFormat has the fields of AgentLoopOutput, which an AgentLoopBase.run of verl returns
// (verl/experimental/agent_loop/agent_loop.py). The extra fields have one name, because verl
// joins them with the columns of its own batch, which has a uid.
var verlFormat = format{
	name: "verl", about: "AgentLoopOutput of verl",
	lines: sequences(fields[*sample]{
		{"prompt_ids", ids((*sample).before), aboutBefore},
		{"response_ids", ids((*sample).response), aboutResponse},
		{"response_mask", mask((*sample).response), "1 where the token is trained"},
		{"response_logprobs", knownLogprobs((*sample).response),
			"nats, 0.0 where the mask is 0; null: not known of some trained token"},
		{"reward_score", number((*sample).ret), aboutReturn},
		{"num_turns", integer(func(s *sample) int { return 2 * len(s.nodes) }), "messages, user and assistant"},
		{"metrics", object(fields[*sample]{
			{"generate_sequences", seconds(func(n *sparkd.Node) time.Duration { return n.SampleTime }),
				"seconds in the engine"},
			{"tool_calls", seconds(func(n *sparkd.Node) time.Duration { return n.EnvTime }),
				"seconds in the environment"},
		}), "times, of AgentLoopMetrics"},
		{"extra_fields", object(fields[*sample]{
			{"sparkd", origin((*sample).response), aboutOrigin},
		}), "what verl keeps beside the batch"},
	}),
}

// seconds is the sum of a time of the steps in a sequence.
func seconds(of func(*sparkd.Node) time.Duration) value[*sample] {
	return number(func(s *sample) float64 {
		var sum time.Duration
		for _, n := range s.nodes {
			sum += of(n)
		}
		return sum.Seconds()
	})
}
