package client

import (
	"errors"
	"io"
	"net/http"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"sparkd"
)

// codings are what Accept-Encoding says: those that unpacked knows, the quickest first.
const codings = "zstd, gzip"

// Uncompressed returns a client of the same daemon that asks for answers as they are, for one that shares its
// processors.
func (c *Client) Uncompressed() *Client {
	plain := *c
	plain.plain = true
	return &plain
}

// unpacked returns the content of an answer's body, without its content coding.
func unpacked(header http.Header, body io.ReadCloser) (io.ReadCloser, error) {
	switch coding := header.Get("Content-Encoding"); coding {
	case "", "identity":
		return body, nil
	case "gzip":
		return &packed{body, func() (io.Reader, error) { return gzip.NewReader(body) }, nil}, nil
	case "zstd":
		return &packed{body, func() (io.Reader, error) {
			const mostWindow = 8 << 20 // RFC 9659
			return zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(mostWindow))
		}, nil}, nil
	default:
		refused := sparkd.NewError(sparkd.CodeUnavailable, "", "check the address; a proxy or another program answered",
			"an answer in the unknown coding %q", coding)
		return nil, errors.Join(refused, body.Close())
	}
}

// packed reads the content of a body. It may be closed while it is read, so the decoder, which holds no more than
// memory, is left to the garbage collector.
type packed struct {
	io.ReadCloser
	open    func() (io.Reader, error) // waits for the first bytes
	content io.Reader
}

func (p *packed) Read(b []byte) (n int, err error) {
	if p.content == nil {
		if p.content, err = p.open(); err != nil {
			p.content = nil
			return 0, err
		}
	}
	return p.content.Read(b)
}
