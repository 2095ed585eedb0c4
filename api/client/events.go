package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"sparkd"
)

// ErrStop, returned by the function given to Events, ends it without an error.
var ErrStop = errors.New("stop")

// Events calls fn for every event behind after, of one rollout or of all (""), in order and exactly once, until fn
// returns an error or ctx is done; after is a cursor, a Seq or "", the beginning. A lost connection is taken up again
// behind the last event; the error after several attempts in a row is that of the last one.
func (c *Client) Events(ctx context.Context, after, rollout string, fn func(sparkd.Event) error) error {
	query := url.Values{}
	set(query, "rollout", rollout)
	return c.resume(ctx, func() (bool, error) {
		start := after
		err := c.follow(ctx, query, &after, fn)
		if errors.Is(err, ErrStop) {
			return true, nil
		}
		return after > start, err
	})
}

// follow reads one connection's events and moves after on.
func (c *Client) follow(ctx context.Context, query url.Values, after *string, fn func(sparkd.Event) error) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after != "" {
		header.Set("Last-Event-Id", *after)
	}
	body, err := c.stream(ctx, "/v1/events", query, header)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var id, kind, data string
	for lines.Scan() {
		line := lines.Text()
		switch name, value, _ := strings.Cut(line, ":"); {
		case line == "" && data != "":
			if err := deliver(kind, data, fn); err != nil {
				return err
			}
			*after, kind, data = id, "", ""
		case name == "id":
			id = strings.TrimPrefix(value, " ")
		case name == "event":
			kind = strings.TrimPrefix(value, " ")
		case name == "data":
			data = strings.TrimPrefix(value, " ")
		}
	}
	return c.cut(ctx, cmp.Or(lines.Err(), errors.New("the event stream ended")))
}

// deliver decodes one event.
func deliver(kind, data string, fn func(sparkd.Event) error) error {
	if kind == "error" {
		var e sparkd.Error
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return sparkd.Errorf(sparkd.CodeInternal, "cannot read an error of the event stream: %v", err)
		}
		return &e
	}
	var event sparkd.Event
	if err := json.Unmarshal([]byte(data), &event); err != nil {
		return sparkd.Errorf(sparkd.CodeInternal, "cannot read an event: %v", err)
	}
	return fn(event)
}
