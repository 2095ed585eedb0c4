package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"iter"
	"math"

	"sparkd"
	exporter "sparkd/export"
	"sparkd/internal/oneline"
)

// export streams finished trees as JSON lines. Everything that can be refused is
// refused before the first byte: names, cursor, an unknown rollout.
func (s *Server) export(_ context.Context, r *request) (any, error) {
	e, err := s.newExport(r)
	if err != nil {
		return nil, err
	}
	limit, err := r.number("limit", 0, 1, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	filter := Filter{Rollout: r.parameter("rollout"), After: r.parameter("after"), Limit: int(limit)}
	next, stop := iter.Pull2(s.backend.Completed(s.streams, filter))
	defer func() {
		if r.body == nil { // not handed over, by an error or a panic
			stop()
		}
	}()
	e.next, e.last = next, filter.After
	if e.entry, e.err, e.more = next(); e.err != nil {
		return nil, e.err
	}
	return nil, s.stream(r, "application/x-ndjson", r.accepts.best, e.run, stop)
}

// newExport reads the parameters and opens the writer of lines.
func (s *Server) newExport(r *request) (e *export, err error) {
	o := exporter.DefaultOptions()
	for _, p := range exporter.Parameters() {
		if value := r.parameter(p.Name); value != "" {
			if err := p.Set(&o, value); err != nil {
				return nil, err
			}
		}
	}
	e = &export{server: s, id: r.id, out: bufio.NewWriterSize(io.Discard, 64<<10)} // reset to the connection in time
	if e.cursors, err = r.boolean("cursors"); err != nil {
		return nil, err
	}
	if e.manifest, err = r.boolean("manifest"); err != nil {
		return nil, err
	}
	o.Checksum = e.manifest
	e.lines, err = exporter.NewWriter(e.out, o)
	return e, err
}

// exportParameters are the query parameters of exports.
func exportParameters() []string {
	names := []string{"rollout", "after", "limit", "cursors", "manifest"}
	for _, p := range exporter.Parameters() {
		names = append(names, p.Name)
	}
	return names
}

// export is one export under way: a reader of finished trees and a writer of lines.
type export struct {
	server   *Server
	id       string // of the request
	cursors  bool
	manifest bool
	out      *bufio.Writer
	lines    *exporter.Writer

	next  func() (Entry, error, bool)
	entry Entry // the next tree, if more and no err
	err   error
	more  bool
	trees int    // given to lines
	last  string // cursor of the last of them
}

// Manifest says how the lines of an export were made.
type Manifest = exporter.Manifest

// Marker is a line of an export with cursors=true that is no data. One with a cursor
// follows every few trees, one with end or error is the last line.
type Marker struct {
	Cursor   string        `json:"cursor"`             // all trees up to here have been sent
	Trees    int           `json:"trees"`              // so many, by this answer
	End      bool          `json:"end,omitempty"`      // there are no more now
	Error    *sparkd.Error `json:"error,omitempty"`    // why the answer is cut
	Manifest *Manifest     `json:"manifest,omitempty"` // of the lines so far; with manifest=true
}

// lastLine ends an export without cursors.
type lastLine struct {
	Manifest *Manifest     `json:"manifest,omitempty"` // with manifest=true
	Error    *sparkd.Error `json:"error,omitempty"`    // why there are no lines, where none are
}

// markEvery is the number of trees between two markers; the lines between them are encoded in parallel.
const markEvery = 16

// run writes the trees. What fails now can no longer change the status: it becomes a
// marker, where the client asked for them, and the connection is cut.
func (e *export) run(w io.Writer) error {
	e.out.Reset(w)
	err := e.send()
	if err == nil {
		return e.out.Flush()
	}
	problem := visible(err, e.id)
	if e.server.streams.Err() != nil {
		problem = sparkd.NewError(sparkd.CodeUnavailable, "", "go on from the last cursor later", "shutting down")
	} else {
		e.server.logFailure(e.id, err)
	}
	if e.mark(Marker{Error: problem}) == nil {
		_ = e.out.Flush() // it is cut in any case
	}
	return err
}

func (e *export) send() error {
	for ; e.more; e.entry, e.err, e.more = e.next() {
		if e.err != nil { // the trees before it are whole, and the client may go on behind it
			_ = e.mark(Marker{})
			return e.err
		}
		if err := e.write(); err != nil {
			return err
		}
	}
	if err := e.mark(Marker{End: true}); err != nil || e.cursors {
		return err
	}
	so := e.lines.Manifest()
	if e.manifest {
		return e.writeLine(lastLine{Manifest: &so})
	}
	if err := so.Refused(); err != nil { // who asked for no manifest would not learn of it
		return e.writeLine(lastLine{Error: visible(err, e.id)})
	}
	return nil
}

func (e *export) write() error {
	if err := e.lines.Write([]*sparkd.Tree{e.entry.Tree}); err != nil {
		return err
	}
	e.last = e.entry.Cursor
	if e.trees++; e.trees%markEvery == 0 {
		return e.mark(Marker{})
	}
	return nil
}

// mark ends the lines of the trees so far and, if the client asked for markers, says where that is.
func (e *export) mark(m Marker) error {
	if m.Error == nil {
		if err := e.lines.Flush(); err != nil {
			return err
		}
		m.Cursor, m.Trees = e.last, e.trees
	}
	if !e.cursors {
		return nil
	}
	if e.manifest {
		so := e.lines.Manifest()
		m.Manifest = &so
	}
	return e.writeLine(m)
}

// writeLine writes a line that is no data.
func (e *export) writeLine(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = e.out.Write(append(oneline.Escape(line, 0), '\n'))
	return err
}
