// Package llamaserver is the engine that lives in llama.cpp's llama-server: /completion with
// ids (tools/server/README.md), /tokenize, /detokenize, /props and, where it is switched on,
// the actions of /slots. The server computes a prefix in a slot and copies it to others
// only where it is asked to, so that this package keeps books on its slots.
package llamaserver

import (
	"context"
	"net/http"
	"path/filepath"

	"sparkd"
	"sparkd/engine/remote"
)

// Open connects to a server.
func Open(ctx context.Context, o remote.Options) (*remote.Engine, error) {
	return remote.Connect(ctx, o, func(api *remote.OpenAI) remote.Server { return &server{OpenAI: api} })
}

// server implements remote.Server.
type server struct {
	*remote.OpenAI
	process remote.Process
	slots   *slots
	eos     sparkd.Token
}

// props is what /props says.
type props struct {
	Slots    int    `json:"total_slots"`
	Build    string `json:"build_info"`
	Path     string `json:"model_path"`
	Type     string `json:"model_ftype"`
	Template string `json:"chat_template"`
	BOS      string `json:"bos_token"`
	EOS      string `json:"eos_token"`
	Marker   string `json:"media_marker"` // random, of the process
	Defaults struct {
		Context int `json:"n_ctx"` // of a slot
	} `json:"default_generation_settings"`
}

func (s *server) props(ctx context.Context) (props, error) {
	var p props
	err := s.HTTP.JSON(ctx, http.MethodGet, "/props", nil, &p)
	return p, err
}

func (s *server) Describe(ctx context.Context, about *sparkd.EngineInfo) error {
	p, err := s.props(ctx)
	if err != nil {
		return err
	}
	if p.Slots < 1 || p.Defaults.Context < 1 {
		return sparkd.Errorf(sparkd.CodeEngine, "%s has no slots", s.HTTP.Name())
	}
	about.Model = s.Model()
	if p.Path != "" {
		about.Model = filepath.Base(p.Path)
		s.Move(s.Model(), about.Model)
	}
	f := remote.Files{Template: p.Template, BOS: p.BOS, EOS: p.EOS}
	err = f.Describe(ctx, about, s.Tokenize, func(ctx context.Context, text string) ([]sparkd.Token, error) {
		return s.ids(ctx, map[string]any{"content": text, "add_special": true, "parse_special": true})
	})
	if err != nil {
		return err
	}
	about.Dialect, about.ServerVersion = "llamacpp", p.Build
	about.ContextLength, about.Vocabulary, about.WeightType = p.Defaults.Context, s.Card.Meta.Vocabulary, p.Type
	about.Capabilities.TokenExact, about.Capabilities.NativeK = true, p.Slots > 1
	s.eos = about.EOS
	return s.openSlots(ctx, p, about)
}

// openSlots finds out whether a slot's cells can be copied to another.
func (s *server) openSlots(ctx context.Context, p props, about *sparkd.EngineInfo) error {
	err := s.action(ctx, "save", 0, 0)
	if code := sparkd.CodeOf(err); code != "" && code != sparkd.CodeEngine && code != sparkd.CodeInvalid {
		return err
	}
	var f *files
	if err == nil {
		f = &files{
			process: func(ctx context.Context) (string, error) { p, err := s.props(ctx); return p.Marker, err },
			writer:  p.Marker,
			save:    func(ctx context.Context, slot int) error { return s.action(ctx, "save", slot, slot) },
			restore: func(ctx context.Context, slot, file int) error { return s.action(ctx, "restore", slot, file) },
		}
	}
	s.slots = newSlots(p.Slots, f)
	about.Settings["slots"], about.Settings["slot_copies"] = p.Slots, f != nil
	return nil
}

func (s *server) ids(ctx context.Context, request map[string]any) ([]sparkd.Token, error) {
	var out struct{ Tokens []sparkd.Token }
	err := s.Post(ctx, "/tokenize", request, &out)
	return out.Tokens, err
}

func (s *server) Tokenize(ctx context.Context, text string, control bool) ([]sparkd.Token, error) {
	return s.ids(ctx, map[string]any{"content": text, "add_special": false, "parse_special": control})
}

func (s *server) Detokenize(ctx context.Context, ids []sparkd.Token) (string, error) {
	var out struct{ Content string }
	err := s.Post(ctx, "/detokenize", map[string]any{"tokens": ids}, &out)
	return out.Content, err
}

// FansOut implements remote.Server: where slots are copied, each continuation has a request of its own.
func (s *server) FansOut() bool { return s.slots.files == nil }

func (s *server) Restarted(ctx context.Context) (bool, error) {
	p, err := s.props(ctx)
	if err != nil || !s.process.Changed(p.Marker) {
		return false, err
	}
	s.slots.forget()
	return true, nil
}
