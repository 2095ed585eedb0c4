package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"sparkd"
	"sparkd/internal/oneline"
)

// eventPage is how many events are read from the log at a time.
const eventPage = 256

// events answers with a page of the event log as JSON, or follows the log as
// server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Server) events(ctx context.Context, r *request) (any, error) {
	after, err := s.firstEvent(ctx, r)
	if err != nil {
		return nil, err
	}
	rollout := r.parameter("rollout")
	switch mode := r.parameter("stream"); {
	case mode == "false", mode == "" && strings.Contains(string(r.Request.Header.Peek("Accept")), "application/json"):
		return s.eventPage(ctx, r, after, rollout)
	case mode != "" && mode != "true":
		return nil, sparkd.Invalid("stream", "use true or false", "%q is neither", mode)
	}
	id := r.id // r ends before the stream does
	follow := func(w io.Writer) error { return s.follow(w, id, after, rollout) }
	coding := r.accepts.best
	if r.accepts.plain { // a few bytes now and then are not worth one
		coding = nil
	}
	return nil, s.stream(r, "text/event-stream", coding, follow, func() {})
}

// firstEvent is the cursor to start behind: that of the event a reconnecting client saw last, or the parameter after,
// where "latest" is the newest event. One that is not of this log is refused before the answer begins.
func (s *Server) firstEvent(ctx context.Context, r *request) (after string, err error) {
	field := "after"
	if after = r.parameter(field); after == "latest" {
		return s.backend.LastEvent(ctx)
	}
	if last := string(r.Request.Header.Peek("Last-Event-ID")); last != "" {
		field, after = "Last-Event-ID", last
	}
	_, err = s.backend.Events(ctx, after, 0)
	if e := sparkd.AsError(err); e != nil && e.Field != "" {
		named := *e
		named.Field = field
		err = &named
	}
	return after, err
}

func (s *Server) eventPage(ctx context.Context, r *request, after, rollout string) (any, error) {
	limit, err := r.pageSize()
	if err != nil {
		return nil, err
	}
	events, after, err := s.read(ctx, after, rollout, limit)
	list := make([]sparkd.Event, len(events))
	for i, e := range events {
		list[i] = e.Event
	}
	// The log never ends, so there is always a place to go on from.
	return Page[sparkd.Event]{list, cmp.Or(after, "0")}, err
}

// read returns up to limit events behind after, those of one rollout where it is named, and the event to go on behind.
func (s *Server) read(ctx context.Context, after, rollout string, limit int) ([]LoggedEvent, string, error) {
	list := []LoggedEvent{}
	for {
		events, err := s.backend.Events(ctx, after, eventPage)
		for _, e := range events {
			if after = e.Cursor; rollout == "" || e.Rollout == rollout {
				list = append(list, e)
			}
			if len(list) == limit {
				return list, after, nil
			}
		}
		if err != nil || len(events) < eventPage {
			return list, after, err
		}
	}
}

// heartbeat is the silence after which an event stream sends a comment: what finds clients
// that left, well within the minute or so after which proxies drop a silent connection.
const heartbeat = 10 * time.Second

// follow writes the event log to one client, who made the request. It reads the stored log only as fast as the
// client reads the stream, so a slow client costs nothing but its connection.
func (s *Server) follow(out io.Writer, request, after, rollout string) error {
	wake, unsubscribe := s.backend.Subscribe() // before the first read, so that nothing is missed
	defer unsubscribe()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	if _, err := io.WriteString(out, "retry: 1000\n\n"); err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 16<<10) // which keeps an error for Flush
	for {
		events, next, err := s.read(s.streams, after, rollout, eventPage)
		for _, e := range events {
			sendEvent(w, fmt.Sprintf("id: %s\nevent: %s\n", e.Cursor, e.Kind), e.Event)
		}
		if err != nil {
			return s.endEvents(w, request, err)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if after = next; len(events) == eventPage {
			continue
		}
		select {
		case _, open := <-wake:
			if !open {
				return s.endEvents(w, request, context.Canceled)
			}
		case <-beat.C:
			fmt.Fprint(w, ": ping\n\n")
		case <-s.streams.Done():
			return s.endEvents(w, request, context.Canceled)
		}
	}
}

func sendEvent(w io.Writer, head string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and text: it cannot, and a panic cuts the stream
	}
	fmt.Fprintf(w, "%sdata: %s\n\n", head, oneline.Escape(data, 0))
}

// endEvents closes the stream properly: with a comment at shutdown, with an event of kind
// error when the log cannot be read. A client reconnects from its last id either way.
func (s *Server) endEvents(w *bufio.Writer, request string, err error) error {
	if s.streams.Err() != nil || sparkd.CodeOf(err) == sparkd.CodeCanceled {
		fmt.Fprint(w, ": shutting down\n\n")
	} else {
		s.logFailure(request, err)
		sendEvent(w, "event: error\n", visible(err, request))
	}
	return w.Flush()
}
