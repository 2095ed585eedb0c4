package connector

import (
	"net/http"
	"net/url"

	"sparkd"
	"sparkd/internal/httpclient"
)

// Server is what the sources of environments on servers have in common: their copies are
// made by replay, and as many are open at once as there are places.
type Server struct {
	Name, About string
	Splits      Splits
	MaxSteps    int // of an episode
	Places      *Places
	HTTP        *http.Client // nil: no connections of its own
}

// HTTP returns a client of one server with connections of its own, a bearer token where
// there is one, and answers of so many bytes at most ([httpclient.ErrTooLarge]).
func HTTP(server *url.URL, token string, most int64) *http.Client {
	return &http.Client{Transport: httpclient.Bounded(server.Host, token, most, nil)}
}

// Info describes the environment.
func (s *Server) Info() sparkd.EnvInfo {
	return sparkd.EnvInfo{Name: s.Name, About: s.About, Splits: s.Splits.Sizes(), MaxSteps: s.MaxSteps,
		Fork: sparkd.ForkReplay}
}

// Close frees the connections; no copy is open any more.
func (s *Server) Close() error {
	if s.HTTP != nil {
		s.HTTP.CloseIdleConnections()
	}
	return nil
}
