package api

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// stream is the body of an answer that is written while it is sent. fasthttp calls WriteTo on the goroutine of the
// connection, which makes a chunk of every Write and sends it at once; the client's pace is the pace of the
// writer. An error or a panic of the writer cuts the connection without the closing chunk.
type stream struct {
	write   func(io.Writer) error
	coding  *coding // nil: none
	server  *Server
	entry   entry
	release func()
	once    sync.Once
	out     io.Writer // while write runs
	sent    int64
	err     error
}

// errUnsent is the fate of a stream whose header could not be sent.
var errUnsent = errors.New("the client was gone before the answer")

// stream answers with what write writes, each write at once. The answer takes one of the slots for streams. If stream
// returns nil, release runs once, when the answer has ended.
func (s *Server) stream(
	r *request, contentType string, coding *coding, write func(io.Writer) error, release func(),
) error {
	select {
	case s.slots <- struct{}{}:
	default:
		return sparkd.NewError(sparkd.CodeUnavailable, "", "close one and try again", "too many open streams")
	}
	r.status = fasthttp.StatusOK
	r.SetContentType(contentType)
	r.Response.Header.Set("Cache-Control", "no-cache")
	r.Response.Header.Set("X-Accel-Buffering", "no")
	r.Response.Header.Set("Vary", "Accept-Encoding")
	if coding != nil {
		r.Response.Header.Set("Content-Encoding", coding.name)
	}
	r.body = &stream{write: write, coding: coding, server: s, entry: r.entry, release: release, err: errUnsent}
	s.metrics.streams.Inc()
	if !r.Request.Header.IsHTTP11() {
		r.HijackSetNoResponse(true)
		r.Hijack(r.untilClose)
		return nil
	}
	r.Response.ImmediateHeaderFlush = true
	r.SetBodyStream(r.body, -1)
	return nil
}

// untilClose answers a client that knows no chunks: what ends the answer is the end of the connection. An answer that
// fails ends with a reset, where the network has one, so that it is not taken for whole.
func (r *request) untilClose(c net.Conn) {
	defer r.body.Close()                   //nolint:errcheck // it has no error
	r.Response.Header.SetContentLength(-2) // neither a length nor chunks
	_, err := c.Write(r.Response.Header.Header())
	if err == nil {
		_, err = r.body.WriteTo(c)
	}
	if own, ok := r.Conn().(*conn); ok && err != nil {
		own.reset()
	}
}

// WriteTo implements io.WriterTo.
func (b *stream) WriteTo(w io.Writer) (n int64, err error) {
	b.out = w
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
			b.server.log.Error().Str("request", b.entry.id).Err(err).Msg("stream failed")
		}
		b.err, n = err, b.sent
	}()
	if b.coding == nil {
		return 0, b.write(b)
	}
	p, err := b.coding.writer(b)
	if err == nil {
		err = b.write(flushed{p})
	}
	if err == nil { // what is cut has no end
		err = p.Close()
	}
	return 0, err
}

// Write sends a part of the answer.
func (b *stream) Write(p []byte) (int, error) {
	n, err := b.out.Write(p)
	b.sent += int64(n)
	return n, err
}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (b *stream) SupportsBodyWriteTo() bool { return true }

// Read implements io.Reader, which fasthttp asks of a body but does not use here.
func (b *stream) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Close frees what the stream held and logs it. fasthttp calls it at the end of the answer, sent or not.
func (b *stream) Close() error {
	b.once.Do(func() {
		defer func() {
			<-b.server.slots
			b.server.metrics.streams.Dec()
			b.server.record(b.entry, int(b.sent), b.err)
		}()
		b.release()
	})
	return nil
}
