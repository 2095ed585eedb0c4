package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"time"

	"sparkd"
)

// attempts is how often in a row a stream may be lost without anything new having come.
const attempts = 6

// lost marks the end of a stream that can be taken up again, or of an attempt to.
type lost struct {
	error
	connected bool // the stream had begun
}

// resume runs once until it returns something else than lost, waiting longer each time. once reports whether it
// got on. The first connection is tried once only: where no daemon runs, the caller learns it at once.
func (c *Client) resume(ctx context.Context, once func() (progress bool, err error)) error {
	connected := false
	for failed := 0; ; {
		progress, err := once()
		l, again := err.(lost)
		if !again {
			return err
		}
		connected = connected || l.connected
		if failed++; progress {
			failed = 1
		}
		if failed >= attempts || !connected {
			return l.error
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.pause << failed):
		}
	}
}

// stream begins a stream for resume.
func (c *Client) stream(ctx context.Context, path string, query url.Values, header http.Header) (*patient, error) {
	resp, err := c.send(ctx, "GET", path, query, nil, header)
	switch {
	case sparkd.CodeOf(err) == sparkd.CodeUnavailable:
		return nil, lost{error: err}
	case err != nil:
		return nil, err
	}
	return newPatient(resp.Body, c.silence), nil
}

// cut is what resume learns of a stream that broke off.
func (c *Client) cut(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return lost{c.unreached(ctx, err), true}
}

// patient is a body that is closed, and so ends its reader, when nothing comes for too long.
type patient struct {
	io.ReadCloser
	timer   *time.Timer
	silence time.Duration
}

func newPatient(body io.ReadCloser, silence time.Duration) *patient {
	return &patient{body, time.AfterFunc(silence, func() { _ = body.Close() }), silence}
}

func (p *patient) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.timer.Reset(p.silence)
	return n, err
}

func (p *patient) Close() error {
	p.timer.Stop()
	return p.ReadCloser.Close()
}
