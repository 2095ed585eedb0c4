package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/url"
	"strings"

	"sparkd"
	"sparkd/internal/loopback"
)

// authorize admits a request that carries the token. Without a token it admits what addresses the server by a
// loopback name and, if it changes something, comes from no foreign web page: that is what keeps a web page, which
// can point a DNS name of its own at 127.0.0.1, out of a server without a token.
func (s *Server) authorize(r *request) error {
	if s.options.Token == "" {
		return s.checkOrigin(r)
	}
	scheme, token, _ := strings.Cut(string(r.Request.Header.Peek("Authorization")), " ")
	sum := sha256.Sum256([]byte(token)) // equal lengths, so the comparison takes constant time
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], s.token[:]) != 1 {
		r.Response.Header.Set("WWW-Authenticate", "Bearer")
		return sparkd.NewError(sparkd.CodeUnauthorized, "Authorization",
			"send the header Authorization: Bearer TOKEN with the daemon's api.token", "the token is missing or wrong")
	}
	return nil
}

func (s *Server) checkOrigin(r *request) error {
	host := string(r.Host())
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host // without a port
	}
	if host != "" && !loopback.Is(name) {
		return sparkd.NewError(sparkd.CodeForbidden, "Host", "call http://"+s.options.Listen+", or set api.token",
			"without a token only loopback names are served")
	}
	origin := string(r.Request.Header.Peek("Origin"))
	if r.IsGet() || r.IsHead() || origin == "" {
		return nil
	}
	if u, err := url.Parse(origin); err != nil || u.Host != host {
		return sparkd.NewError(sparkd.CodeForbidden, "Origin", "call the API from a program, or set api.token",
			"a web page of another origin may not do this")
	}
	return nil
}
