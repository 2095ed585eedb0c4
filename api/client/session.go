package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"sparkd"
	"sparkd/api"
)

// OpenSession asks for a rollout whose environments the caller drives. It reports whether the daemon made it now.
func (c *Client) OpenSession(ctx context.Context, s sparkd.SessionSpec) (r sparkd.Rollout, created bool, err error) {
	status, err := c.call(ctx, "POST", "/v1/sessions", nil, s, &r)
	return r, status == http.StatusCreated, err
}

// SessionCalls waits up to wait seconds for calls behind the id after.
func (c *Client) SessionCalls(ctx context.Context, id string, after uint64, wait int) (api.SessionCalls, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "wait": {strconv.Itoa(wait)}}
	return get[api.SessionCalls](ctx, c, "/v1/sessions/"+url.PathEscape(id)+"/calls", query)
}

// SessionAnswers hands over what came of calls and returns the ids of those that nobody waited for any more.
func (c *Client) SessionAnswers(ctx context.Context, id string, answers []sparkd.EnvAnswer) (
	stale []uint64, err error,
) {
	if len(answers) == 0 {
		return nil, nil
	}
	var out api.StaleAnswers
	path := "/v1/sessions/" + url.PathEscape(id) + "/answers"
	_, err = c.call(ctx, "POST", path, nil, api.SessionAnswers{Answers: answers}, &out)
	return out.Stale, err
}

// CloseSession ends a session; branches that still grow fail.
func (c *Client) CloseSession(ctx context.Context, id string) (r sparkd.Rollout, err error) {
	_, err = c.call(ctx, "DELETE", "/v1/sessions/"+url.PathEscape(id), nil, nil, &r)
	return r, err
}
