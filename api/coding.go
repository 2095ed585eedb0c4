package api

import (
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"

	"sparkd"
)

// coding is a content coding (RFC 9110, section 12.5.3) that answers can have.
type coding struct {
	name   string
	writer func(io.Writer) (packer, error)
}

// packer compresses what it is given; Flush makes all of it readable on the other side.
type packer interface {
	io.WriteCloser
	Flush() error
}

// offered are the codings of answers, best first. They are quick ones: rows of tokens become a tenth with any.
var offered = []*coding{
	{"zstd", func(w io.Writer) (packer, error) {
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(1<<20))
	}},
	{"gzip", func(w io.Writer) (packer, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }},
}

// smallest is the length from which an answer is worth a coding.
const smallest = 1 << 10

// negotiated is what a request says of codings.
type negotiated struct {
	best  *coding // nil: none
	plain bool    // an answer without a coding is acceptable
}

// negotiate reads the values of Accept-Encoding. Of equal weights the better coding counts; no coding is the last
// choice, unless it is asked for.
func negotiate(headers [][]byte) (n negotiated, err error) {
	weights := map[string]float64{}
	for _, header := range headers {
		for element := range strings.SplitSeq(string(header), ",") {
			name, parameters, _ := strings.Cut(strings.ToLower(element), ";")
			if name = strings.TrimPrefix(strings.TrimSpace(name), "x-"); name != "" {
				weights[name] = weight(parameters)
			}
		}
	}
	of := func(name string, unsaid float64) float64 {
		if w, said := weights[name]; said {
			return w
		}
		if w, said := weights["*"]; said {
			return w
		}
		return unsaid
	}
	const least = .0001
	heaviest := of("identity", least)
	n.plain = heaviest > 0
	for _, c := range offered {
		if w := of(c.name, 0); w > heaviest || w == heaviest && w > 0 && n.best == nil {
			n.best, heaviest = c, w
		}
	}
	if n.best == nil && !n.plain {
		problem := sparkd.Invalid("Accept-Encoding", "accept one of "+codings+", identity",
			"the answer has no coding that the request accepts")
		return negotiated{plain: true}, &refusal{problem, fasthttp.StatusNotAcceptable, "Vary", "Accept-Encoding"}
	}
	return n, nil
}

// weight reads the q of an element; one that cannot be read accepts nothing.
func weight(parameters string) float64 {
	key, value, given := strings.Cut(strings.TrimSpace(parameters), "=")
	if strings.TrimSpace(key) == "" && !given {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if strings.TrimSpace(key) != "q" || err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// answer answers with a whole body.
func (r *request) answer(contentType string, body []byte) {
	r.SetContentType(contentType)
	r.Response.Header.Set("Vary", "Accept-Encoding")
	r.SetBody(body)
	c := r.accepts.best
	if c == nil || r.accepts.plain && len(body) < smallest {
		return
	}
	r.ResetBody()
	p, err := c.writer(r.Response.BodyWriter())
	if err == nil {
		_, err = p.Write(body)
	}
	if err == nil {
		err = p.Close()
	}
	if err != nil { // of what is written to memory: it cannot be
		panic(err)
	}
	r.Response.Header.Set("Content-Encoding", c.name)
}

// flushed makes every write readable at once.
type flushed struct{ packer }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.packer.Write(b)
	if err == nil {
		err = f.Flush()
	}
	return n, err
}
