package api

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// ambiguity says what of a request's head two servers could read in two ways, which lets one request hide behind
// another where a proxy stands before this one; "" for nothing. fasthttp refuses most of it, and lets pass what
// RFC 9112 lets a recipient mend; nobody in earnest sends that.
func ambiguity(h *fasthttp.RequestHeader) string {
	var length, coding bool
	for line := range bytes.Lines(h.RawHeaders()) {
		text, whole := bytes.CutSuffix(line, []byte("\r\n"))
		name, value, _ := strings.Cut(string(text), ":")
		switch {
		case !whole || bytes.ContainsAny(text, "\r\n"):
			return "a header does not end in CR LF"
		case strings.HasPrefix(name, " ") || strings.HasPrefix(name, "\t"):
			return "a header is folded"
		case strings.EqualFold(name, "Content-Length"):
			length = true
		case strings.EqualFold(name, "Transfer-Encoding"):
			coding = true
			if !strings.EqualFold(strings.Trim(value, " \t"), "chunked") {
				return "its Transfer-Encoding is not chunked"
			}
		}
	}
	version := string(h.Protocol())
	switch {
	case length && coding:
		return "it has a Content-Length and a Transfer-Encoding"
	case version != "HTTP/1.1" && version != "HTTP/1.0":
		return "its version is " + version
	case version == "HTTP/1.1" && len(h.Host()) == 0:
		return "it has no Host"
	case bytes.ContainsAny(h.Host(), "@/\\?# \t"):
		return "its Host is none"
	}
	return ""
}

// received leaves the body of an ambiguous request unread; dispatch refuses it then.
func received(h *fasthttp.RequestHeader) (_ fasthttp.RequestConfig) {
	if ambiguity(h) != "" {
		h.SetContentLength(0)
		h.SetConnectionClose()
	}
	return
}

// checkFraming refuses an ambiguous request. Its connection ends: where the next one begins is not known.
func checkFraming(r *request) error {
	problem := ambiguity(&r.Request.Header)
	if problem == "" {
		return nil
	}
	r.SetConnectionClose()
	if c, ok := r.Conn().(*conn); ok {
		c.refused.Store(true)
	}
	const remedy = "send it as HTTP/1.1 has it (RFC 9112)"
	return sparkd.Invalid("", remedy, "the request can be read in two ways: %s", problem)
}
