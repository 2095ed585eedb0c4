package api

import (
	"bytes"
	_ "embed"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/valyala/fasthttp"

	"sparkd"
)

// openAPI describes the API by hand; a test holds it and the route table equal.
//
//go:embed openapi.json
var openAPI []byte

type status struct {
	Status string `json:"status"`
}

func (s *Server) health(r *request) error { return r.reply(fasthttp.StatusOK, status{"ok"}) }

func (s *Server) ready(r *request) error {
	if s.streams.Err() != nil {
		return &sparkd.Error{Code: sparkd.CodeUnavailable, Message: "shutting down"}
	}
	if err := s.backend.Ready(); err != nil {
		e := visible(err, r.id)
		e.Code = sparkd.CodeUnavailable // whatever is amiss, this probe says 503
		return e
	}
	return r.reply(fasthttp.StatusOK, status{"ready"})
}

func (s *Server) info(r *request) error { return r.reply(fasthttp.StatusOK, s.backend.Info()) }

func (s *Server) openapi(r *request) error {
	r.SetContentType("application/json")
	r.SetBody(openAPI)
	return nil
}

// showMetrics shows the daemon's metrics and the server's own. Where some cannot be gathered the others are shown.
func (s *Server) showMetrics(r *request) error {
	families, err := prometheus.Gatherers{s.backend.Gatherer(), s.metrics.registry}.Gather()
	if err != nil {
		s.log.Error().Str("request", r.id).Err(err).Msg("some metrics are missing")
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, f := range families {
		if err := encoder.Encode(f); err != nil {
			return err
		}
	}
	r.SetContentType(string(format))
	r.SetBody(out.Bytes())
	return nil
}
