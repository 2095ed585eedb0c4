package api

import (
	"bytes"
	"context"
	_ "embed"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"sparkd"
)

// openAPI describes the API by hand; a test holds it and the route table equal.
//
//go:embed openapi.json
var openAPI []byte

type status struct {
	Status string `json:"status"`
}

func (s *Server) health(context.Context, *request) (any, error) { return status{"ok"}, nil }

func (s *Server) ready(_ context.Context, r *request) (any, error) {
	if s.streams.Err() != nil {
		return nil, &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "shutting down"}
	}
	if err := s.backend.Ready(); err != nil {
		e := visible(err, r.id)
		e.Code = sparkd.CodeUnavailable // whatever is amiss, this probe says 503
		return nil, e
	}
	return status{"ready"}, nil
}

func (s *Server) info(context.Context, *request) (any, error) { return s.backend.Info(), nil }

func (s *Server) openapi(_ context.Context, r *request) (any, error) {
	r.answer("application/json", openAPI)
	return nil, nil
}

// showMetrics shows the daemon's metrics and the server's own. Where some cannot be gathered the others are shown.
func (s *Server) showMetrics(_ context.Context, r *request) (any, error) {
	families, err := prometheus.Gatherers{s.backend.Gatherer(), s.metrics.registry}.Gather()
	if err != nil {
		s.log.Error().Str("request", r.id).Err(err).Msg("some metrics are missing")
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return nil, err
		}
	}
	r.answer(string(format), out.Bytes())
	return nil, nil
}
