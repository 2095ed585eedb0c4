package api

import (
	"context"
	"time"

	"sparkd"
)

// Engines is the answer of GET /v1/engines: the replicas that sample, as they stand.
type Engines struct {
	PolicyVersion string           `json:"policy_version"`
	Replicas      []sparkd.Replica `json:"replicas"`
}

// reloadLimit is the longest time that an exchange of weights may take.
const reloadLimit = 30 * time.Minute

func (s *Server) engines(context.Context, *request) (any, error) { return s.backend.Engines(), nil }

func (s *Server) reload(ctx context.Context, r *request) (any, error) {
	w, err := decode(r.PostBody(), sparkd.Weights{})
	if err != nil {
		return nil, err
	}
	if w.Path == "" {
		return nil, sparkd.Invalid("path", "name the file or folder with the new weights", "no path")
	}
	err = s.backend.Reload(ctx, w)
	return s.backend.Engines(), err
}

// Draining is the body of POST /v1/engines/drain.
type Draining struct {
	Replica string `json:"replica"`
	Out     bool   `json:"out"` // false puts the replica back in service
}

func (s *Server) drain(_ context.Context, r *request) (any, error) {
	d, err := decode(r.PostBody(), Draining{Out: true})
	if err == nil {
		err = s.backend.Drain(d.Replica, d.Out)
	}
	return s.backend.Engines(), err
}
