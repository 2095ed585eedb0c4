package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// eventPage is how many events are read from the log at a time.
const eventPage = 256

// events answers with a page of the event log as JSON, or follows the log as
// server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (s *Server) events(r *request) error {
	after, err := s.firstEvent(r)
	if err != nil {
		return err
	}
	rollout := r.parameter("rollout")
	switch mode := r.parameter("stream"); {
	case mode == "false", mode == "" && strings.Contains(string(r.Request.Header.Peek("Accept")), "application/json"):
		return s.eventPage(r, after, rollout)
	case mode != "" && mode != "true":
		return sparkd.Invalid("stream", "use true or false", "%q is neither", mode)
	}
	f := &follower{server: s, request: r.id, after: after, rollout: rollout}
	return s.stream(r, "text/event-stream", f.follow, func() {})
}

// firstEvent is the event to start behind: the one a reconnecting client saw last, or
// the parameter after, where "latest" is the newest event.
func (s *Server) firstEvent(r *request) (uint64, error) {
	if last := string(r.Request.Header.Peek("Last-Event-ID")); last != "" {
		after, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return 0, sparkd.Invalid("Last-Event-ID", "send the id of the last event", "%q is no event id", clip(last))
		}
		return after, nil
	}
	if r.parameter("after") == "latest" {
		return s.backend.Info().LastEvent, nil
	}
	return r.number("after", 0, 0, math.MaxUint64)
}

func (s *Server) eventPage(r *request, after uint64, rollout string) error {
	limit, err := r.pageSize()
	if err != nil {
		return err
	}
	ctx, cancel := s.context()
	defer cancel()
	answer := page[sparkd.Event]{Items: []sparkd.Event{}}
	for len(answer.Items) < limit {
		events, err := s.backend.Events(ctx, after, eventPage)
		if err != nil {
			return explain(ctx, err)
		}
		for _, e := range events {
			if after = e.Seq; rollout == "" || e.Rollout == rollout {
				answer.Items = append(answer.Items, e)
			}
			if len(answer.Items) == limit {
				break
			}
		}
		if len(events) < eventPage {
			break
		}
	}
	// The log never ends, so there is always a place to go on from.
	answer.Next = strconv.FormatUint(after, 10)
	return r.reply(fasthttp.StatusOK, answer)
}

// heartbeat is the silence after which an event stream sends a comment: what finds clients
// that left, well within the minute or so after which proxies drop a silent connection.
const heartbeat = 10 * time.Second

// follower writes the event log to one client. It reads the stored log only as fast as
// the client reads the stream, so a slow client costs nothing but its connection.
type follower struct {
	server  *Server
	request string
	after   uint64
	rollout string
}

func (f *follower) follow(out io.Writer) error {
	s := f.server
	wake, unsubscribe := s.backend.Subscribe() // before the first read, so that nothing is missed
	defer unsubscribe()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	w := bufio.NewWriterSize(out, 16<<10)
	fmt.Fprintf(w, "retry: 1000\n\n") // bufio keeps the error for Flush
	for {
		if err := w.Flush(); err != nil {
			return err
		}
		more, err := f.page(s.streams, w)
		if err != nil {
			return f.end(w, err)
		}
		if more {
			continue
		}
		if err := w.Flush(); err != nil {
			return err
		}
		select {
		case _, open := <-wake:
			if !open {
				return f.end(w, context.Canceled)
			}
		case <-beat.C:
			fmt.Fprint(w, ": ping\n\n")
		case <-s.streams.Done():
			return f.end(w, context.Canceled)
		}
	}
}

// page writes the next page of the log and reports whether there may be another now.
func (f *follower) page(ctx context.Context, w io.Writer) (more bool, err error) {
	events, err := f.server.backend.Events(ctx, f.after, eventPage)
	if err != nil {
		return false, err
	}
	for _, e := range events {
		f.after = e.Seq
		if f.rollout != "" && e.Rollout != f.rollout {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, data)
	}
	return len(events) == eventPage, nil
}

// end closes the stream properly: with a comment at shutdown, with an event of kind
// error when the log cannot be read. A client reconnects from its last id either way.
func (f *follower) end(w *bufio.Writer, err error) error {
	if f.server.streams.Err() != nil || sparkd.CodeOf(err) == sparkd.CodeCanceled {
		fmt.Fprint(w, ": shutting down\n\n")
		return w.Flush()
	}
	f.server.logFailure(f.request, err)
	data, err := json.Marshal(visible(err, f.request))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "event: error\ndata: %s\n\n", data)
	return w.Flush()
}
