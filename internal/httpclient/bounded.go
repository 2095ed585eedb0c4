package httpclient

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"
)

// ErrTooLarge is the error of reading an answer beyond its limit.
var ErrTooLarge = errors.New("the answer is larger than its limit")

// Bounded returns a transport to one server with connections of its own, or through one that is given. Every
// request to that host carries the bearer token, if there is one, and follows no redirect with it elsewhere;
// bodies of answers end with ErrTooLarge after most bytes.
func Bounded(host, token string, most int64, through http.RoundTripper) http.RoundTripper {
	if through == nil {
		through = Transport(nil)
	}
	return &bounded{through, host, token, most}
}

// Transport returns connections to a server; trust may be nil.
func Transport(trust *tls.Config) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	// uvicorn and llama-server close after 5, maybe while a request is on its way
	t.IdleConnTimeout = 2 * time.Second
	t.MaxIdleConnsPerHost = 64
	t.TLSClientConfig = trust
	return t
}

type bounded struct {
	http.RoundTripper
	host, token string
	most        int64
}

// RoundTrip implements http.RoundTripper.
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.token != "" && r.URL.Host == b.host {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols { // a WebSocket writes to its body
		answer.Body = &limited{ReadCloser: answer.Body, left: b.most}
	}
	return answer, err
}

// CloseIdleConnections lets http.Client reach those of the transport below.
func (b *bounded) CloseIdleConnections() {
	if t, ok := b.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
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
