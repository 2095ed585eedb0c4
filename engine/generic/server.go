// Package generic is the engine that lives in any server with OpenAI's /v1/models and /v1/completions.
//
// Those take and return text: there is no tokenizer to ask and there are no ids, so the tokens of this engine are
// the bytes of the text in UTF-8, and one for its end. They keep every promise of a Span but one, and that one is
// flagged: token_exact is false, because they are no ids of the model. For the same reason it has no logprobs,
// which a server gives per token of its own. Such a server cuts a stop string off and does not say which of them
// it was, so Text ends in front of it. One that does know ids is better asked as vLLM.
package generic

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	openai "github.com/sashabaranov/go-openai"

	"sparkd"
	"sparkd/engine/remote"
	"sparkd/internal/httpclient"
)

// Open connects to a server.
func Open(ctx context.Context, o remote.Options) (*remote.Engine, error) {
	return remote.Connect(ctx, o, func(api *remote.OpenAI) remote.Server { return &server{OpenAI: api} })
}

// server implements remote.Server.
type server struct {
	*remote.OpenAI
	refused sync.Map // names of parameters that it does not take
}

// end stands for the end of a text, where the model or a stop string ended it.
const end = 256

func (s *server) Describe(_ context.Context, about *sparkd.EngineInfo) error {
	about.Dialect, about.Model = "generic", s.Model()
	about.Vocabulary, about.EOS, about.EOT = end+1, end, end
	about.Capabilities.NativeK = true
	about.Settings["tokens"] = "bytes of the text in UTF-8, and 256 for its end"
	return nil
}

func (s *server) Tokenize(_ context.Context, text string, _ bool) ([]sparkd.Token, error) {
	ids := make([]sparkd.Token, len(text))
	for i := range len(text) {
		ids[i] = sparkd.Token(text[i])
	}
	return ids, nil
}

func (s *server) Detokenize(_ context.Context, ids []sparkd.Token) (string, error) {
	text := make([]byte, 0, len(ids))
	for _, id := range ids {
		switch {
		case id < 0 || id > end:
			return "", sparkd.Invalid("tokens", "take ids of the engine's own tokenizer", "%d is no byte", id)
		case id != end:
			text = append(text, byte(id))
		}
	}
	return string(text), nil
}

// Sample implements remote.Server: all continuations in one request, where the server takes several.
func (s *server) Sample(ctx context.Context, a *remote.Ask) (remote.Drawn, error) {
	return remote.Plan{Each: len(a.Seeds)}.Run(ctx, *a, s.Generate)
}

func (s *server) Generate(ctx context.Context, a remote.Ask) (remote.Answer, error) {
	if a.Sampling.TopK > 0 || a.Sampling.MinP > 0 || len(a.Sampling.StopTokenIDs) > 0 {
		return remote.Answer{}, sparkd.Invalid("sampling",
			"switch off top_k, min_p and stop_token_ids, or use an engine that has them",
			"OpenAI's API has no such parameters")
	}
	prompt, err := s.Detokenize(ctx, a.Prefix)
	if err != nil {
		return remote.Answer{}, err
	}
	fields := remote.CompletionFields(&a)
	fields["model"], fields["prompt"] = s.Model(), prompt
	if len(a.Sampling.Stop) == 0 {
		delete(fields, "stop")
	}
	got, err := s.complete(ctx, fields)
	if err != nil {
		return remote.Answer{}, err
	}
	out := remote.Answer{Computed: len(a.Seeds) * len(a.Prefix)}
	slices.SortStableFunc(got.Choices, func(a, b openai.CompletionChoice) int { return a.Index - b.Index })
	written := 0 // tokens of all choices together, where the server says
	if got.Usage != nil {
		written = got.Usage.CompletionTokens
	}
	for _, c := range got.Choices {
		stopped, err := remote.Stopped(c.FinishReason, written == 0 || written >= a.Limit*len(got.Choices))
		if err != nil {
			return remote.Answer{}, err
		}
		ids, _ := s.Tokenize(ctx, c.Text, false)
		if stopped {
			ids = append(ids, end)
		}
		out.Choices = append(out.Choices, remote.Choice{Tokens: ids, Text: c.Text, Stopped: stopped})
	}
	return out, nil
}

// neutral are parameters that change nothing as they are sent, and the seed, without which draws cannot be repeated.
var neutral = []string{"seed", "presence_penalty", "frequency_penalty", "top_p", "stream", "n"}

// complete sends a request, without what the server refuses by name although it changes nothing.
func (s *server) complete(ctx context.Context, fields map[string]any) (openai.CompletionResponse, error) {
	for {
		s.refused.Range(func(name, _ any) bool { delete(fields, name.(string)); return true })
		var said texts
		got, err := s.Complete(ctx, fields, &said)
		if err == nil {
			err = said.check(s.HTTP.Name())
		}
		name := s.refuses(err)
		one, same := fields[name], map[string]any{"top_p": 1.0, "n": 1}[name]
		if one == nil || same != nil && one != same {
			return got, err
		}
		s.refused.Store(name, true)
	}
}

// texts are the choices of an answer as far as they must have a text: go-openai reads none as an empty one.
type texts struct {
	Choices []struct {
		Text *string `json:"text"`
	} `json:"choices"`
}

// check refuses a choice without a text, that of a chat for instance. An empty one is a text.
func (t *texts) check(server string) error {
	for _, c := range t.Choices {
		if c.Text == nil {
			return sparkd.NewError(sparkd.CodeEngine, "", "name a server whose /v1/completions answers with texts",
				"%s answers with a continuation that has no text, so no tokens", server)
		}
	}
	return nil
}

// refuses returns which of the neutral parameters an error is about, or "".
func (s *server) refuses(err error) string {
	var said *httpclient.Status
	if sparkd.CodeOf(err) != sparkd.CodeInvalid || !errors.As(err, &said) {
		return ""
	}
	for _, name := range neutral {
		quoted := regexp.MustCompile("['\"`\u2018\u201c]" + name + "['\"`\u2019\u201d]")
		if said.Param == name || quoted.MatchString(said.Message) ||
			len(name) > 1 && strings.Contains(strings.ToLower(said.Message), name) {
			return name
		}
	}
	return ""
}

// FansOut implements remote.Server.
func (s *server) FansOut() bool { return true }

// Restarted implements remote.Server: such a server does not tell, but it says whether it is there.
func (s *server) Restarted(ctx context.Context) (bool, error) { return false, s.Lists(ctx) }
