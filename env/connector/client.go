package connector

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// ErrTooLarge is the error of reading an answer beyond its limit.
var ErrTooLarge = errors.New("the answer is larger than option max_message allows")

// Client returns an HTTP client of one server with connections of its own. Every request
// to that server carries the bearer token, if there is one; bodies of answers end with
// ErrTooLarge after most bytes.
func Client(server *url.URL, token string, most int64) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.IdleConnTimeout = 2 * time.Second // uvicorn closes after 5, maybe while a request is on its way
	return &http.Client{Transport: &transport{Transport: t, host: server.Host, token: token, most: most}}
}

// transport does not follow the token to other hosts, where a redirect may lead.
type transport struct {
	*http.Transport
	host, token string
	most        int64
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.token != "" && r.URL.Host == t.host {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+t.token)
	}
	answer, err := t.Transport.RoundTrip(r)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols { // a WebSocket writes to its body
		answer.Body = &limited{ReadCloser: answer.Body, left: t.most}
	}
	return answer, err
}

// limited is a body that may be left bytes long.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p[:min(int64(len(p)), l.left+1)])
	if l.left -= int64(n); l.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}
