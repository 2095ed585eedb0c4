package openai

import (
	"context"

	"sparkd"
)

// generic speaks with any server that has OpenAI's /v1/models and /v1/completions. Those
// take and return text: there is no tokenizer to ask and there are no ids, so the tokens of
// this dialect are the bytes of the text in UTF-8, and one for its end. They keep every
// promise of a Span but one, and that one is flagged: token_exact is false, because they
// are no ids of the model. For the same reason it has no logprobs, which a server gives per
// token of its own. Such a server cuts a stop string off and does not say which of them it
// was, so Text ends in front of it. One that does know ids is better asked in the dialect
// vllm.
type generic struct{ *server }

// genericEnd stands for the end of a text, where the model or a stop string ended it.
const genericEnd = 256

func (g *generic) learn(ctx context.Context, about *sparkd.EngineInfo) error {
	about.Vocabulary, about.EOS, about.EOT = genericEnd+1, genericEnd, genericEnd
	about.Settings = map[string]any{"tokens": "bytes of the text in UTF-8, and 256 for its end"}
	return nil
}

func (g *generic) tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	ids := make([]sparkd.Token, len(text))
	for i := range len(text) {
		ids[i] = sparkd.Token(text[i])
	}
	return ids, nil
}

func (g *generic) detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	text := make([]byte, 0, len(ids))
	for _, id := range ids {
		switch {
		case id < 0 || id > genericEnd:
			return "", sparkd.Invalid("tokens", "take ids of the engine's own tokenizer", "%d is no byte", id)
		case id != genericEnd:
			text = append(text, byte(id))
		}
	}
	return string(text), nil
}

func (g *generic) generate(ctx context.Context, a ask) (answer, error) {
	if a.sampling.TopK > 0 || a.sampling.MinP > 0 || len(a.sampling.StopTokenIDs) > 0 {
		return answer{}, sparkd.Invalid("sampling", "switch off top_k, min_p and stop_token_ids, or use an engine that has them", "OpenAI's API has no such parameters")
	}
	prompt, err := g.detokenize(ctx, a.prefix)
	if err != nil {
		return answer{}, err
	}
	fields := explicit(&a)
	fields["model"], fields["prompt"] = g.model(), prompt
	if len(a.sampling.Stop) == 0 {
		delete(fields, "stop")
	}
	got, err := g.complete(ctx, fields, nil)
	if err != nil {
		return answer{}, err
	}
	if err := g.answersFor(got.Model); err != nil {
		return answer{}, err
	}
	out := answer{computed: a.n * len(a.prefix)}
	for _, c := range got.Choices {
		ids, err := g.tokenize(ctx, c.Text, false)
		if err != nil {
			return answer{}, err
		}
		stopped := c.FinishReason == "stop"
		if stopped {
			ids = append(ids, genericEnd)
		}
		out.choices = append(out.choices, choice{tokens: ids, text: c.Text, stopped: stopped})
	}
	return out, nil
}

func (g *generic) started(context.Context) (string, error) { return "", nil }

func (g *generic) reload(context.Context, sparkd.Weights) (string, error) { return "", errNoReload }
