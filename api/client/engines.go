package client

import (
	"context"

	"sparkd"
	"sparkd/api"
)

// Engines returns the replicas that sample, as they stand.
func (c *Client) Engines(ctx context.Context) (api.Engines, error) {
	return get[api.Engines](ctx, c, "/v1/engines", nil)
}

// Reload moves all replicas to new weights. It waits for them, as long as ctx does.
func (c *Client) Reload(ctx context.Context, w sparkd.Weights) (e api.Engines, err error) {
	patient := *c
	patient.timeout = reloadLimit
	_, err = patient.call(ctx, "POST", "/v1/engines/weights", nil, w, &e)
	return e, err
}

// Drain takes a replica out of service, or puts it back.
func (c *Client) Drain(ctx context.Context, replica string, out bool) (e api.Engines, err error) {
	_, err = c.call(ctx, "POST", "/v1/engines/drain", nil, api.Draining{Replica: replica, Out: out}, &e)
	return e, err
}
