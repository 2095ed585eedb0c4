package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"

	"sparkd"
)

// codings are those of bodies that are unpacked, as a client may ask for them.
const codings = "gzip, zstd"

// unpack replaces a body that is packed by what is in it, which is bounded as one that is not.
func (s *Server) unpack(r *request) error {
	var names []string
	for _, header := range r.Request.Header.PeekAll("Content-Encoding") {
		for name := range strings.SplitSeq(string(header), ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	body := r.PostBody()
	if coding := codingOf(body); len(names) == 0 && coding != "" {
		return sparkd.Invalid("Content-Encoding", "send the header Content-Encoding: "+coding,
			"the body is packed with %s, and no header says so", coding)
	}
	if len(names) > 2 {
		return unknownCoding(strings.Join(names[:3], ", ") + " …")
	}
	for _, name := range slices.Backward(names) {
		var err error
		if body, err = s.unpacked(name, body); err != nil {
			return err
		}
		r.Request.SetBody(body)
	}
	return nil
}

func (s *Server) unpacked(coding string, body []byte) ([]byte, error) {
	var unpacker io.Reader
	var err error
	switch coding {
	case "gzip", "x-gzip":
		unpacker, err = gzip.NewReader(bytes.NewReader(body))
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20)) // what RFC 9659 allows HTTP
		if err == nil {
			defer z.Close()
			unpacker = z
		}
	default:
		return nil, unknownCoding(coding)
	}
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(unpacker, s.options.MaxBody+1))
	}
	if err != nil {
		return nil, sparkd.Invalid("Content-Encoding", "pack the body as the header says, or send it as it is",
			"the body cannot be unpacked as %s: %v", coding, err)
	}
	if int64(len(body)) > s.options.MaxBody {
		return nil, sparkd.NewError(sparkd.CodeTooLarge, "", "send less, or raise api.max_body",
			"the body is over %d bytes when it is unpacked", s.options.MaxBody)
	}
	return body, nil
}

func unknownCoding(name string) error {
	const remedy = "use one of " + codings + ", or send the body as it is"
	problem := sparkd.Invalid("Content-Encoding", remedy, "bodies in %s are not unpacked here", clip(name))
	return &refusal{problem, fasthttp.StatusUnsupportedMediaType, "Accept-Encoding", codings}
}

// codingOf tells a packed body by its first bytes, which are not those of JSON.
func codingOf(body []byte) string {
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return "gzip"
	case bytes.HasPrefix(body, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return "zstd"
	}
	return ""
}
